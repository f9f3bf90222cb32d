# The lab: a real Active Directory domain. What the tests of the directory rely on.
set(lab ${CMAKE_CURRENT_LIST_DIR})
add_test(NAME lab COMMAND Python3::Interpreter ${lab}/self_test.py)
set_tests_properties(lab PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 600 RESOURCE_LOCK lab COST 150)

# Every activity of a whole run names the right computer and account: some minutes, a command of its own.
add_custom_target(resolution-lab
  COMMAND ${lab}/resolution.py --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket>
  --picket-center $<TARGET_FILE:picket-center>
  DEPENDS picketd picket picket-center USES_TERMINAL)
