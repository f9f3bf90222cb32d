# The pages of docs/ that are made of tables in the code: a test for each, and `docs-reference` to write them.
add_executable(picket-reference tools/reference.c)
target_link_libraries(picket-reference PRIVATE picket_daemon picket_center picket_sync)
set_target_properties(picket-reference PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

foreach(page activities=activities configuration=config configuration-center=center entities=entities detections=detections)
  string(REPLACE "=" ";" pair ${page})
  list(GET pair 0 file)
  list(GET pair 1 argument)
  add_test(NAME docs_${file}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tools/compare_reference.sh
      $<TARGET_FILE:picket-reference> ${argument} ${PROJECT_SOURCE_DIR}/docs/${file}.md)
  set_tests_properties(docs_${file} PROPERTIES LABELS slow)
endforeach()

add_custom_target(docs-reference
  COMMAND picket-reference activities > ${PROJECT_SOURCE_DIR}/docs/activities.md
  COMMAND picket-reference config > ${PROJECT_SOURCE_DIR}/docs/configuration.md
  COMMAND picket-reference center > ${PROJECT_SOURCE_DIR}/docs/configuration-center.md
  COMMAND picket-reference entities > ${PROJECT_SOURCE_DIR}/docs/entities.md
  COMMAND picket-reference detections > ${PROJECT_SOURCE_DIR}/docs/detections.md
  COMMENT "Writing the pages of docs/ that are made of tables in the code"
  VERBATIM)

# What a node's store holds, as JSON, and the directory's part of a node alone: for the tests against a real directory.
add_executable(picket-store-dump tools/store_dump.c)
target_link_libraries(picket-store-dump PRIVATE picket_sync)
add_executable(picket-replicate tools/replicate.c)
target_link_libraries(picket-replicate PRIVATE picket_sync)
set_target_properties(picket-store-dump picket-replicate PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
