# The benchmark's own programs; tests/bench/capture.py runs them (target `bench`).
add_executable(pcapmix EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/pcapmix.c)
target_link_libraries(pcapmix PRIVATE picket_options PkgConfig::PCAP m)
add_executable(pcap_loop EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/pcap_loop.c)
target_link_libraries(pcap_loop PRIVATE picket_options PkgConfig::PCAP)
add_library(count_malloc MODULE EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/count_malloc.c)
set_target_properties(pcapmix pcap_loop count_malloc PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench PREFIX "")
add_custom_target(bench
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/capture.py --build ${CMAKE_BINARY_DIR}
  DEPENDS picket pcapmix pcap_loop count_malloc USES_TERMINAL)
# A fleet of real processes beside a full mesh of the same heartbeats: tests/bench/fleet.py (target `bench-fleet`).
add_executable(full_mesh EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/full_mesh.c)
target_link_libraries(full_mesh PRIVATE picket_options PkgConfig::ZMQ PkgConfig::SODIUM)
set_target_properties(full_mesh PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-fleet
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/fleet.py --build ${CMAKE_BINARY_DIR}
  DEPENDS picket picketd full_mesh USES_TERMINAL)
# What the look-up costs: tests/bench/lookup.c.
add_executable(bench_lookup EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/lookup.c)
target_link_libraries(bench_lookup PRIVATE picket_sync picket_base)
set_target_properties(bench_lookup PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
# Replication at scale beside a bare libldap loop: tests/bench/ldap_directory.c. libldap is for that loop only.
pkg_check_modules(LIBLDAP IMPORTED_TARGET ldap lber)
if(LIBLDAP_FOUND)
  add_executable(ldap_directory EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/ldap_directory.c)
  target_link_libraries(ldap_directory PRIVATE picket_sync picket_base PkgConfig::GNUTLS PkgConfig::LIBLDAP Threads::Threads)
  set_target_properties(ldap_directory PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endif()
# What resolving costs: tests/bench/resolver.c (target `bench-resolver`).
add_executable(bench_resolver EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/resolver.c)
target_link_libraries(bench_resolver PRIVATE picket_capture picket_sync picket_base)
set_target_properties(bench_resolver PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-resolver
  COMMAND bench_resolver ${CMAKE_CURRENT_LIST_DIR}/../data/a01_kerberoast_impacket.pcap
    ${CMAKE_CURRENT_LIST_DIR}/../data/a14_psexec.pcap ${CMAKE_CURRENT_LIST_DIR}/../data/n08_smb_kerberos.pcap
    ${CMAKE_CURRENT_LIST_DIR}/../data/a28_spray_ldap.pcap ${CMAKE_CURRENT_LIST_DIR}/../data/a05_dcsync_krbtgt.pcap
  DEPENDS bench_resolver USES_TERMINAL)
# The entity store at the size of a large directory (target `bench-entity-store`).
add_executable(entity_store EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/entity_store.c)
target_link_libraries(entity_store PRIVATE picket_sync)
set_target_properties(entity_store PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-entity-store COMMAND entity_store USES_TERMINAL)
# RADIUS accounting: tests/bench/radius.c (target `bench-radius`).
add_executable(bench_radius EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/radius.c)
target_link_libraries(bench_radius PRIVATE picket_events picket_base PkgConfig::MD)
set_target_properties(bench_radius PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-radius COMMAND bench_radius DEPENDS bench_radius USES_TERMINAL)
# Syslog events per second of CPU: tests/bench/syslog.c (target `bench-syslog`).
add_executable(bench_syslog EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/syslog.c)
target_link_libraries(bench_syslog PRIVATE picket_events picket_base)
set_target_properties(bench_syslog PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-syslog COMMAND bench_syslog DEPENDS bench_syslog USES_TERMINAL)
# What reading Windows events costs: tests/bench/events.c (target `bench-events`).
add_executable(bench_events EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/events.c)
target_link_libraries(bench_events PRIVATE picket_events picket_base)
set_target_properties(bench_events PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-events
  COMMAND bench_events ${CMAKE_CURRENT_LIST_DIR}/../data/group-add-remove-4732-4733.evtx
  DEPENDS bench_events USES_TERMINAL)
# The good guest by experiment: tests/bench/governor.py (target `bench-governor`; docs/good-guest.md).
add_executable(guest EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/guest.c)
target_link_libraries(guest PRIVATE picket_daemon picket_capture picket_sync picket_cluster picket_base)
set_target_properties(guest PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-governor
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/governor.py --build ${CMAKE_BINARY_DIR}
  DEPENDS guest USES_TERMINAL)
# The spool beside dd, and from the resolver to the center's acknowledgement: tests/bench/delivery.py (target `bench-delivery`).
add_executable(bench_spool EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/spool.c)
target_link_libraries(bench_spool PRIVATE picket_daemon)
set_target_properties(bench_spool PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-delivery
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/delivery.py --build ${CMAKE_BINARY_DIR}
  DEPENDS bench_spool feeder picket picketd picket-center USES_TERMINAL)
# A whole picketd at a rate of packets, in the lab's domain: tests/bench/sensor.py (target `bench-sensor`).
add_custom_target(bench-sensor
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/sensor.py --build ${CMAKE_BINARY_DIR}
  DEPENDS pcapmix picket picketd picket-center USES_TERMINAL)
# From a packet on the wire to the alert in the API's stream: tests/bench/alert_latency.py (target `bench-alert-latency`).
add_custom_target(bench-alert-latency
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/alert_latency.py --build ${CMAKE_BINARY_DIR}
  DEPENDS picket picketd picket-center USES_TERMINAL)
# What the center's processor and its whole pipeline cost: tests/bench/processor.c (target `bench-processor`).
add_executable(bench_processor EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/processor.c)
target_link_libraries(bench_processor PRIVATE picket_center)
set_target_properties(bench_processor PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
file(GLOB processor_captures ${CMAKE_CURRENT_LIST_DIR}/../data/n*.pcap ${CMAKE_CURRENT_LIST_DIR}/../data/a*.pcap)
add_custom_target(bench-processor
  COMMAND bench_processor ${CMAKE_CURRENT_LIST_DIR}/../data/lab-directory.ndjson 3 ${processor_captures}
  DEPENDS bench_processor USES_TERMINAL)
# The center's directory at a million entities: tests/bench/center_entities.c (target `bench-center-entities`).
add_executable(bench_center_entities EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/center_entities.c)
target_link_libraries(bench_center_entities PRIVATE picket_center)
set_target_properties(bench_center_entities PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-center-entities COMMAND bench_center_entities DEPENDS bench_center_entities USES_TERMINAL)
# What it costs to keep things: tests/bench/center_store.c (target `bench-center-store`).
add_executable(bench_center_store EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/center_store.c)
target_link_libraries(bench_center_store PRIVATE picket_center)
set_target_properties(bench_center_store PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-center-store
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${CMAKE_BINARY_DIR}/bench-store
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/bench-store
  COMMAND bench_center_store ${CMAKE_BINARY_DIR}/bench-store
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${CMAKE_BINARY_DIR}/bench-store
  DEPENDS bench_center_store USES_TERMINAL)
# What a question to the holder of keys costs: tests/bench/key_line.c (target `bench-key-line`).
add_executable(bench_key_line EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/key_line.c)
target_link_libraries(bench_key_line PRIVATE picket_daemon picket_base)
set_target_properties(bench_key_line PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
add_custom_target(bench-key-line COMMAND bench_key_line $<TARGET_FILE:picket-keys> DEPENDS bench_key_line picket-keys USES_TERMINAL)

# What the holder of keys needs for each kind of question: tests/bench/key_holder.c.
add_executable(bench_key_holder EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/key_holder.c)
target_link_libraries(bench_key_holder PRIVATE picket_keys picket_capture picket_base)
set_target_properties(bench_key_holder PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
# What reading through keys costs at the AD mix: tests/bench/keytab.py (target `bench-keytab`).
add_custom_target(bench-keytab
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/keytab.py --build ${CMAKE_BINARY_DIR}
  DEPENDS picket picket-keys pcapmix USES_TERMINAL)
