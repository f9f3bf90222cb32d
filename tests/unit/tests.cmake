# What single unit tests need besides: the oracles that they compare with.
pkg_search_module(MSGPACK REQUIRED IMPORTED_TARGET msgpack msgpack-c)
target_link_libraries(test_msgpack PRIVATE PkgConfig::MSGPACK)
target_link_libraries(test_activity PRIVATE PkgConfig::JANSSON)
target_link_libraries(test_log PRIVATE PkgConfig::JANSSON)
target_link_libraries(test_scenario PRIVATE picket_sim)
target_link_libraries(test_svg PRIVATE picket_sim)

# With threads of their own: these also run under ThreadSanitizer (./check).
set_tests_properties(test_ring test_log test_control PROPERTIES LABELS threads)
