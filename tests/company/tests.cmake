# A company of which everything is known (tests/company/README.md), and who judges what is raised about it (target `bench-company`).
add_library(company STATIC EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/company.c ${CMAKE_CURRENT_LIST_DIR}/hours.c
  ${CMAKE_CURRENT_LIST_DIR}/records.c ${CMAKE_CURRENT_LIST_DIR}/attacks.c)
target_link_libraries(company PUBLIC picket_center m)
add_executable(company_judge EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/judge.c)
target_link_libraries(company_judge PRIVATE company)
set_target_properties(company_judge PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench OUTPUT_NAME company-judge)
add_custom_target(bench-company
  COMMAND company_judge --captures ${PROJECT_SOURCE_DIR}/../shared/data/lab --write ${PROJECT_SOURCE_DIR}/docs
  DEPENDS company_judge USES_TERMINAL)
# What the pipeline costs with that company's activities: tests/bench/center.c (target `bench-center`).
add_executable(bench_center_pipeline EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/bench/center.c)
target_link_libraries(bench_center_pipeline PRIVATE company)
set_target_properties(bench_center_pipeline PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
file(GLOB company_captures ${PROJECT_SOURCE_DIR}/../shared/data/lab/*.pcap)
add_custom_target(bench-center
  COMMAND bench_center_pipeline ${company_captures}
  DEPENDS bench_center_pipeline USES_TERMINAL)
# The whole center: from the wire to the store: tests/bench/center_load.py (target `bench-center-load`).
add_executable(center_load EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/bench/center_load.c)
target_link_libraries(center_load PRIVATE company picket_daemon)
set_target_properties(center_load PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-center-load
  COMMAND ${PROJECT_SOURCE_DIR}/tests/bench/center_load.py --build ${CMAKE_BINARY_DIR}
  DEPENDS center_load pcapmix picket picketd picket-center USES_TERMINAL)
