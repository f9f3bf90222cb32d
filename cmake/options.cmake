# Warnings, sanitizers and coverage, carried by one interface target that everything links.
add_library(picket_options INTERFACE)
target_compile_definitions(picket_options INTERFACE _GNU_SOURCE PICKET_VERSION="${PROJECT_VERSION}")
target_include_directories(picket_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(picket_options INTERFACE
  -Wall -Wextra -Wconversion -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wpointer-arith -Wvla -fno-strict-aliasing -fstack-protector-strong)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_definitions(picket_options INTERFACE _FORTIFY_SOURCE=2)
endif()
if(PICKET_LTO AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # The libraries carry both, so that only what is shipped (property PICKET_SHIPPED) pays for a link of this kind:
  # a hundred test programs would take minutes.
  target_compile_options(picket_options INTERFACE
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,STATIC_LIBRARY>:-flto=auto$<SEMICOLON>-ffat-lto-objects>)
  target_link_options(picket_options INTERFACE
    $<IF:$<BOOL:$<TARGET_PROPERTY:PICKET_SHIPPED>>,-flto=auto,-fno-lto>)
endif()
if(PICKET_SANITIZE OR PICKET_COVERAGE)
  # Hundreds of instrumented test programs: the linker that needs a third of the time, where there is one.
  find_program(LLD ld.lld)
  if(LLD)
    target_link_options(picket_options INTERFACE -fuse-ld=lld)
  endif()
  # Instrumented code without any optimisation runs four times as long; a test's own code is not worth compiling so.
  target_compile_options(picket_options INTERFACE $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,STATIC_LIBRARY>:-O1>)
endif()
if(PICKET_SANITIZE)
  target_compile_options(picket_options INTERFACE
    -fsanitize=${PICKET_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  target_link_options(picket_options INTERFACE -fsanitize=${PICKET_SANITIZE})
  if(PICKET_SANITIZE MATCHES address)
    # The search for leaks stops all threads as a debugger does, which the programs forbid.
    target_compile_definitions(picket_options INTERFACE PICKET_LEAK_SEARCH)
  endif()
endif()
if(PICKET_FUZZ)
  # Fuzzing finds more with the assertions on.
  target_compile_options(picket_options INTERFACE -fsanitize=fuzzer-no-link -UNDEBUG)
  target_link_options(picket_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(PICKET_COVERAGE)
  target_compile_options(picket_options INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(picket_options INTERFACE -fprofile-instr-generate -fcoverage-mapping)
endif()
