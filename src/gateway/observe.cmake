# Counters and the admin API, each a library of its own: they know no sockets and are tested without them.
add_library(rung_metrics STATIC metrics.cc resilience_metrics.cc)
target_link_libraries(rung_metrics PUBLIC rung_flags rung_state rung_upstream prometheus-cpp::core)
target_compile_definitions(rung_metrics PRIVATE RUNG_VERSION="${PROJECT_VERSION}")

set(web ${CMAKE_SOURCE_DIR}/web)
set(assets ${CMAKE_CURRENT_BINARY_DIR}/web_assets.cc)
add_custom_command(OUTPUT ${assets}
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${web} -DOUT=${assets} -P ${web}/embed.cmake
  DEPENDS ${web}/embed.cmake ${web}/index.html ${web}/dashboard.css ${web}/dashboard.js
  COMMENT "Embedding the dashboard" VERBATIM)
add_library(rung_admin STATIC admin.cc admin_json.cc ${assets})
target_link_libraries(rung_admin PUBLIC rung_flags rung_state rung_json fmt::fmt)

rung_test(observe_test SOURCES admin_test.cc metrics_test.cc DEPS rung_admin rung_metrics)

# Makes a ledger with invented traffic and answers admin requests from standard input: docs/dashboard.md.
if(RUNG_TESTS)
  add_executable(admin_demo EXCLUDE_FROM_ALL admin_demo.cc)
  target_link_libraries(admin_demo PRIVATE rung_admin)
endif()
