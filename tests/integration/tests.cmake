# Tests of the whole program, on captures; each prints what it skips when ../shared is not there.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(integration ${CMAKE_CURRENT_LIST_DIR})
set(shared_data ${PROJECT_SOURCE_DIR}/../shared/data)

add_test(NAME oracle COMMAND Python3::Interpreter ${integration}/oracle.py --picket $<TARGET_FILE:picket>
  ${CMAKE_CURRENT_SOURCE_DIR}/data ${shared_data}/lab ${shared_data}/pcap)
set_tests_properties(oracle PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 600)

add_test(NAME live COMMAND Python3::Interpreter ${integration}/live.py --picket $<TARGET_FILE:picket>)
set_tests_properties(live PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 300 RUN_SERIAL ON)

add_test(NAME labels COMMAND Python3::Interpreter ${integration}/labels.py --picket $<TARGET_FILE:picket>
  ${CMAKE_CURRENT_SOURCE_DIR}/data ${shared_data}/lab)
set_tests_properties(labels PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 300)
