# What every target of the project shares. Flags are on targets, never global.

add_library(rung_flags INTERFACE)
target_compile_options(rung_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Werror
  # AVX2 and FMA are the floor: every x86-64 server CPU since 2013 (Intel) and 2015 (AMD) has them.
  $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>:-march=x86-64-v3>)
# g++ 12 reports these inside its own optimised std::string and std::vector code, never in ours alone.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(rung_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow)
else()
  # Only the fuzzing programs are built with clang; g++ is who judges warnings.
  target_compile_options(rung_flags INTERFACE -Wno-error)
endif()
if(RUNG_SANITIZE)
  target_compile_options(rung_flags INTERFACE -fsanitize=${RUNG_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(rung_flags INTERFACE -fsanitize=${RUNG_SANITIZE})
endif()

# rung_folders(folder...): adds the folders that have a CMakeLists.txt.
function(rung_folders)
  foreach(folder ${ARGN})
    if(EXISTS ${CMAKE_SOURCE_DIR}/${folder}/CMakeLists.txt)
      add_subdirectory(${folder})
    endif()
  endforeach()
endfunction()

# rung_library(NAME [SOURCES file...] [DEPS target...])
# A static library rung_NAME; in the same go an object target that compiles each header of the folder alone.
function(rung_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  if(arg_SOURCES)
    add_library(rung_${name} STATIC ${arg_SOURCES})
    target_link_libraries(rung_${name} PUBLIC rung_flags ${arg_DEPS})
  else()
    add_library(rung_${name} INTERFACE)
    target_link_libraries(rung_${name} INTERFACE rung_flags ${arg_DEPS})
  endif()
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  if(RUNG_TESTS AND headers)
    set(units)
    foreach(header ${headers})
      get_filename_component(stem ${header} NAME_WE)
      set(unit ${CMAKE_CURRENT_BINARY_DIR}/alone/${stem}.cc)
      file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${header}\"\n#include \"${header}\"\n")
      list(APPEND units ${unit})
    endforeach()
    add_library(rung_${name}_headers OBJECT ${units})
    target_link_libraries(rung_${name}_headers PRIVATE rung_${name})
    # The check is of names and syntax: no code needs to be made.
    target_compile_options(rung_${name}_headers PRIVATE -O0 -g0)
  endif()
endfunction()

# rung_test(NAME SOURCES file... DEPS target...): one GoogleTest binary, each test of it known to ctest.
function(rung_test name)
  if(NOT RUNG_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE rung_flags ${arg_DEPS} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE RUNG_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
endfunction()

# rung_bench(NAME SOURCES file... DEPS target...): one Google Benchmark binary.
function(rung_bench name)
  if(NOT RUNG_BENCH)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE rung_flags ${arg_DEPS} benchmark::benchmark benchmark::benchmark_main)
  target_compile_definitions(${name} PRIVATE RUNG_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
endfunction()
