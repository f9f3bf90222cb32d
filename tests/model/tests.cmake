# The election's rules, checked exhaustively with spin for two and three nodes, and mutants of them.
add_test(NAME election_model COMMAND ${CMAKE_CURRENT_LIST_DIR}/run.sh)
set_tests_properties(election_model PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 900 COST 250)
