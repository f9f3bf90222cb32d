# What single unit tests need besides: the oracles that they compare with.
pkg_search_module(MSGPACK REQUIRED IMPORTED_TARGET msgpack msgpack-c)
target_link_libraries(test_msgpack PRIVATE PkgConfig::MSGPACK)
target_link_libraries(test_activity PRIVATE PkgConfig::JANSSON)
target_link_libraries(test_statistics PRIVATE m)
target_link_libraries(test_log PRIVATE PkgConfig::JANSSON)
target_link_libraries(test_resolution PRIVATE PkgConfig::JANSSON)
target_link_libraries(test_scenario PRIVATE picket_sim)
target_compile_definitions(test_scenario PRIVATE PICKET_SOURCE="${PROJECT_SOURCE_DIR}")
target_link_libraries(test_svg PRIVATE picket_sim)
target_link_libraries(test_sim_network PRIVATE picket_sim)
target_link_libraries(test_sim_swarm PRIVATE picket_sim)
target_link_libraries(test_run PRIVATE picket_sim PkgConfig::JANSSON)

target_link_libraries(test_ldap_client PRIVATE PkgConfig::GNUTLS PkgConfig::KRB5)
target_link_libraries(test_wef_sealed PRIVATE PkgConfig::GNUTLS PkgConfig::KRB5)
target_link_libraries(test_wef_listener PRIVATE PkgConfig::GNUTLS PkgConfig::KRB5)
set_tests_properties(test_wef_listener PROPERTIES LABELS threads TIMEOUT 300)


# With threads of their own: these also run under ThreadSanitizer (./check).
set_tests_properties(test_ring test_log test_outbox test_capture_report test_resolution test_governor_service test_radius_listener test_input_radius test_input_samba test_log_tail test_control test_directory_probe test_transport test_transport_traps test_zap test_ldap_client
  PROPERTIES LABELS threads)
# Some of them fork and go on with threads in the child.
set_tests_properties(test_transport test_transport_traps test_zap PROPERTIES
  ENVIRONMENT TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp:die_after_fork=0)

# What is sent and received; ZeroMQ's own threads are not looked at.
set_tests_properties(test_sender test_receiver PROPERTIES LABELS threads
  ENVIRONMENT TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp)

# The election once more, with the deliberate faults that its tests must notice.
target_compile_definitions(test_mutants PRIVATE PICKET_MUTANTS)
target_sources(test_mutants PRIVATE ${PROJECT_SOURCE_DIR}/cluster/claim.c ${PROJECT_SOURCE_DIR}/cluster/register.c
  ${PROJECT_SOURCE_DIR}/cluster/inquiry.c ${PROJECT_SOURCE_DIR}/cluster/election.c)
# The whole core, likewise.
get_target_property(mutant_core picket_cluster SOURCES)
list(TRANSFORM mutant_core REPLACE "^([^/])" "${PROJECT_SOURCE_DIR}/cluster/\\1")
target_compile_definitions(test_mutants_fleet PRIVATE PICKET_MUTANTS)
target_sources(test_mutants_fleet PRIVATE ${mutant_core})

# Real time on real sockets.
set_tests_properties(test_driver PROPERTIES LABELS "slow;threads" TIMEOUT 900 COST 500
  ENVIRONMENT TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp)
# The directory's part as it ships, on threads, against LDAP servers of the test's own.
target_link_libraries(test_directory PRIVATE PkgConfig::GNUTLS)
set_tests_properties(test_directory PROPERTIES LABELS threads TIMEOUT 300)
target_link_libraries(test_radius_accounting PRIVATE PkgConfig::MD)
target_link_libraries(test_radius_listener PRIVATE PkgConfig::MD)
target_link_libraries(test_input_radius PRIVATE PkgConfig::MD)

# The syslog listener as it ships, on loopback.
target_link_libraries(test_syslog_listener PRIVATE PkgConfig::GNUTLS)
target_link_libraries(test_input_syslog PRIVATE PkgConfig::GNUTLS)
set_tests_properties(test_syslog_listener PROPERTIES LABELS threads)
target_link_libraries(test_input_syslog PRIVATE PkgConfig::JANSSON)
set_tests_properties(test_input_syslog PROPERTIES LABELS threads)
target_link_libraries(test_keys_smb PRIVATE PkgConfig::NETTLE)
# libkrb5 is the other side, and the oracle.
foreach(test test_kerberos_crypto test_keys_gss test_keys_kerberos test_keys_keytab)
  target_link_libraries(${test} PRIVATE PkgConfig::KRB5)
endforeach()
if(PICKET_FUZZ)
  target_link_libraries(fuzz_key_holder PRIVATE PkgConfig::KRB5)
  target_link_libraries(fuzz_key_messages PRIVATE PkgConfig::KRB5)
endif()
target_link_libraries(test_evtx PRIVATE PkgConfig::JANSSON)
target_link_libraries(test_entities_store PRIVATE PkgConfig::JANSSON)
set_tests_properties(test_smb_unseal PROPERTIES TIMEOUT 300)
set_tests_properties(test_evtx_folder test_input_evtx PROPERTIES LABELS threads)
target_link_libraries(test_name_asker PRIVATE PkgConfig::GNUTLS)
set_tests_properties(test_name_asker test_naming_service PROPERTIES LABELS threads)
target_link_libraries(test_alert PRIVATE PkgConfig::JANSSON)

# What SQLite does to its files is watched, and broken, by the tests themselves.
target_link_libraries(test_crash PRIVATE PkgConfig::SQLITE)
set_tests_properties(test_crash PROPERTIES TIMEOUT 900 COST 200)
target_link_libraries(test_api_routes PRIVATE PkgConfig::JANSSON)
# The whole center on its threads.
set_tests_properties(test_service PROPERTIES LABELS threads TIMEOUT 300
  ENVIRONMENT TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp)
set_tests_properties(test_notify PROPERTIES LABELS threads)
target_link_libraries(test_fleet_view PRIVATE PkgConfig::JANSSON)
# picket-keys as it ships.
target_compile_definitions(test_key_client PRIVATE PICKET_KEYS_PROGRAM="$<TARGET_FILE:picket-keys>")
add_dependencies(test_key_client picket-keys)
set_tests_properties(test_key_client PROPERTIES LABELS threads TIMEOUT 300
  ENVIRONMENT TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp:die_after_fork=0)
set_tests_properties(test_key_line PROPERTIES LABELS threads)
# Long in any build, and most so in an instrumented one: they begin first.
set_tests_properties(test_replication test_gossip PROPERTIES COST 150)
