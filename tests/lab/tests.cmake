# The lab: a real Active Directory domain. What the tests of the directory rely on.
set(lab ${CMAKE_CURRENT_LIST_DIR})
add_test(NAME lab COMMAND Python3::Interpreter ${lab}/self_test.py)
set_tests_properties(lab PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 600 RUN_SERIAL ON)
