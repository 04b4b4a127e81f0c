# Counters and the admin API, each a library of its own: they know no sockets and are tested without them.
add_library(rung_metrics STATIC metrics.cc)
target_link_libraries(rung_metrics PUBLIC rung_flags rung_state prometheus-cpp::core)
target_compile_definitions(rung_metrics PRIVATE RUNG_VERSION="${PROJECT_VERSION}")

rung_test(observe_test SOURCES metrics_test.cc DEPS rung_metrics)
