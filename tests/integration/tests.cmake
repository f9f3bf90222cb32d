# Tests of the whole program, on captures; each prints what it skips when ../shared is not there.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(integration ${CMAKE_CURRENT_LIST_DIR})
set(shared_data ${PROJECT_SOURCE_DIR}/../shared/data)

add_test(NAME oracle COMMAND Python3::Interpreter ${integration}/oracle.py --picket $<TARGET_FILE:picket>
  ${CMAKE_CURRENT_SOURCE_DIR}/data ${shared_data}/lab ${shared_data}/pcap)
set_tests_properties(oracle PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 600 COST 90)

# The same through keys: with lab.keytab tshark and Picket open the same messages.
add_test(NAME oracle_keytab COMMAND Python3::Interpreter ${integration}/oracle.py --picket $<TARGET_FILE:picket>
  --keytab ${shared_data}/lab/lab.keytab --otherwise ${CMAKE_CURRENT_SOURCE_DIR}/data/oracle-keytab.json ${shared_data}/lab)
set_tests_properties(oracle_keytab PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 600)

# Captures of what is sealed, and of forged tickets, each with the keytab of their domain (tests/lab/sealed.py made them);
# `elsewhere`: tickets of a controller that is not watched.
foreach(folder sealed elsewhere)
  set(captures ${CMAKE_CURRENT_SOURCE_DIR}/data/${folder})
  add_test(NAME oracle_${folder} COMMAND Python3::Interpreter ${integration}/oracle.py --picket $<TARGET_FILE:picket>
    --keytab ${captures}/lab.keytab ${captures})
  add_test(NAME unsealed_${folder} COMMAND Python3::Interpreter ${integration}/unsealed.py --picket $<TARGET_FILE:picket>
    ${captures})
  add_test(NAME detection_results_${folder} COMMAND Python3::Interpreter ${integration}/detection_results.py
    --center $<TARGET_FILE:picket-center> --picket $<TARGET_FILE:picket> --keytab ${captures}/lab.keytab
    --entities ${captures}/directory.ndjson --check ${captures})
  set_tests_properties(oracle_${folder} unsealed_${folder} detection_results_${folder} PROPERTIES LABELS slow TIMEOUT 600)
endforeach()

add_test(NAME live COMMAND Python3::Interpreter ${integration}/live.py --picket $<TARGET_FILE:picket>)
set_tests_properties(live PROPERTIES LABELS "slow;threads" SKIP_RETURN_CODE 77 TIMEOUT 300)

add_test(NAME labels COMMAND Python3::Interpreter ${integration}/labels.py --picket $<TARGET_FILE:picket>
  ${CMAKE_CURRENT_SOURCE_DIR}/data ${shared_data}/lab)
set_tests_properties(labels PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 300)

# What the center raises about the labelled captures: those of the tree, what found errors (tests/lab/variations.py), all of them.
foreach(labelled own=${CMAKE_CURRENT_SOURCE_DIR}/data variations=${CMAKE_CURRENT_SOURCE_DIR}/data/variations
        shared=${shared_data}/lab)
  string(REPLACE "=" ";" pair ${labelled})
  list(GET pair 0 which)
  list(GET pair 1 directory)
  add_test(NAME detection_results_${which} COMMAND Python3::Interpreter ${integration}/detection_results.py
    --center $<TARGET_FILE:picket-center> --entities ${CMAKE_CURRENT_SOURCE_DIR}/data/lab-directory.ndjson --check ${directory})
  set_tests_properties(detection_results_${which} PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 600)
endforeach()

add_test(NAME detection_results_keytab COMMAND Python3::Interpreter ${integration}/detection_results.py
  --center $<TARGET_FILE:picket-center> --picket $<TARGET_FILE:picket> --keytab ${shared_data}/lab/lab.keytab
  --entities ${CMAKE_CURRENT_SOURCE_DIR}/data/lab-directory.ndjson --check ${shared_data}/lab)
set_tests_properties(detection_results_keytab PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 600)

# Damaged captures: those of the tree, with less of each kind of damage, always; all of it labelled slow (best
# in the asan preset).
add_executable(damage ${integration}/damage.c)
target_link_libraries(damage PRIVATE picket_capture picket_base)
set_target_properties(damage PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME damage COMMAND damage --quick ${CMAKE_CURRENT_SOURCE_DIR}/data)
set_tests_properties(damage PROPERTIES TIMEOUT 300)
add_test(NAME damage_all COMMAND damage ${CMAKE_CURRENT_SOURCE_DIR}/data ${shared_data}/lab ${shared_data}/pcap)
set_tests_properties(damage_all PROPERTIES LABELS slow TIMEOUT 3600 COST 150)

add_test(NAME cli COMMAND Python3::Interpreter ${integration}/cli.py --picket $<TARGET_FILE:picket>
  --picketd $<TARGET_FILE:picketd>
  --completion ${PROJECT_SOURCE_DIR}/node/picket.bash)
set_tests_properties(cli PROPERTIES TIMEOUT 300 COST 60)

add_test(NAME memory COMMAND Python3::Interpreter ${integration}/memory.py --picket $<TARGET_FILE:picket>)
set_tests_properties(memory PROPERTIES LABELS "slow;once" TIMEOUT 300)

# The network that the fleet's tests live in: hosts, sites and bad lines in namespaces of the tests' own.
add_executable(wan ${integration}/wan.c)
target_link_libraries(wan PRIVATE picket_options)
set_target_properties(wan PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME network COMMAND Python3::Interpreter ${integration}/network.py --wan $<TARGET_FILE:wan>)
set_tests_properties(network PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)

add_test(NAME fleet_command COMMAND Python3::Interpreter ${integration}/fleet_command.py
  --picket $<TARGET_FILE:picket> --completion ${PROJECT_SOURCE_DIR}/node/picket.bash)
set_tests_properties(fleet_command PROPERTIES TIMEOUT 600 COST 60)

# A node as its administrator runs it.
add_test(NAME running COMMAND Python3::Interpreter ${integration}/running.py
  --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket>)
set_tests_properties(running PROPERTIES LABELS slow TIMEOUT 300)

# Three real nodes on loopback. What takes long begins first.
add_test(NAME fleet_smoke COMMAND Python3::Interpreter ${integration}/fleet_smoke.py
  --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket>)
set_tests_properties(fleet_smoke PROPERTIES LABELS slow TIMEOUT 600 COST 100)

# Hosts, sites and bad lines: what only real processes on a real network show.
add_test(NAME fleet_network COMMAND Python3::Interpreter ${integration}/fleet_network.py
  --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket> --wan $<TARGET_FILE:wan>)
set_tests_properties(fleet_network PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 900 COST 1000)
add_test(NAME fleet_many COMMAND Python3::Interpreter ${integration}/fleet_many.py
  --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket>)
set_tests_properties(fleet_many PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 900 COST 350)

# What nodes deliver to a center arrives exactly once, whatever happens: real processes that are killed, paused, cut off
# and run out of disk. The feeder is a node's outbox, spool and sender, without the rest.
add_executable(feeder ${integration}/feeder.c)
target_link_libraries(feeder PRIVATE picket_daemon)
set_target_properties(feeder PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME delivery COMMAND Python3::Interpreter ${integration}/delivery.py --feeder $<TARGET_FILE:feeder>
  --picket $<TARGET_FILE:picket> --picketd $<TARGET_FILE:picketd> --picket-center $<TARGET_FILE:picket-center> --seconds 40)
set_tests_properties(delivery PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 600 COST 100)

add_test(NAME delivery_node COMMAND Python3::Interpreter ${integration}/delivery_node.py
  --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket> --picket-center $<TARGET_FILE:picket-center>)
set_tests_properties(delivery_node PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 600)

# Random fault plans against the fleet's core in virtual time; the same seeds each time.
add_test(NAME swarm COMMAND picket-sim swarm --seeds 1..150 --hours 8 --jobs 2 --out ${CMAKE_BINARY_DIR})
set_tests_properties(swarm PROPERTIES LABELS "slow;once" TIMEOUT 900)

# The directory's client against real directories.
add_executable(ldap_probe ${integration}/ldap_probe.c)
target_link_libraries(ldap_probe PRIVATE picket_sync picket_base)
set_target_properties(ldap_probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME ldap_client_slapd COMMAND Python3::Interpreter ${integration}/ldap_client_slapd.py --probe $<TARGET_FILE:ldap_probe>)
set_tests_properties(ldap_client_slapd PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 300)
add_test(NAME ldap_client COMMAND Python3::Interpreter ${integration}/ldap_client.py --probe $<TARGET_FILE:ldap_probe>)
set_tests_properties(ldap_client PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 900 RESOURCE_LOCK lab COST 400)

# The directory's part against a real directory, which dies and is changed meanwhile.
add_test(NAME directory_lab COMMAND Python3::Interpreter ${integration}/directory_lab.py
  --replicate $<TARGET_FILE:picket-replicate> --dump $<TARGET_FILE:picket-store-dump>)
set_tests_properties(directory_lab PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 900 RESOURCE_LOCK lab COST 300)
add_test(NAME directory_node COMMAND Python3::Interpreter ${integration}/directory_node.py
  --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket>)
set_tests_properties(directory_node PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 600 RESOURCE_LOCK lab COST 300)

# RADIUS accounting from radclient, and with FreeRADIUS as the proxy.
add_test(NAME radius COMMAND Python3::Interpreter ${integration}/radius.py
  --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket>)
set_tests_properties(radius PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 600)

# Events by syslog from the senders that there are.
add_test(NAME syslog_peers COMMAND Python3::Interpreter ${integration}/syslog_peers.py
  --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket>)
set_tests_properties(syslog_peers PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 900 COST 100)

# The audit log of a real Samba domain controller, rotated meanwhile.
add_test(NAME samba_log COMMAND Python3::Interpreter ${integration}/samba_log.py
  --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket>)
set_tests_properties(samba_log PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 600 RESOURCE_LOCK lab COST 200)

# Windows Event Forwarding: sources of our own, with certificates and with tickets of a real KDC.
add_test(NAME wef COMMAND Python3::Interpreter ${integration}/wef.py --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket>)
set_tests_properties(wef PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 900 COST 60)

# Computers asked for their names: a real domain controller, and a host that does not answer.
add_executable(name_probe ${integration}/name_probe.c)
target_link_libraries(name_probe PRIVATE picket_naming picket_base)
set_target_properties(name_probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME name_lab COMMAND Python3::Interpreter ${integration}/name_lab.py --probe $<TARGET_FILE:name_probe>)
set_tests_properties(name_lab PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 600 RESOURCE_LOCK lab COST 150)

# Who is told of alerts, and the API: a real rsyslog with TLS, servers of the tests' own for mail and webhooks.
add_executable(center_probe ${integration}/center_probe.c)
target_link_libraries(center_probe PRIVATE picket_center)
set_target_properties(center_probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME notify_peers COMMAND Python3::Interpreter ${integration}/notify_peers.py --probe $<TARGET_FILE:center_probe>)
set_tests_properties(notify_peers PROPERTIES LABELS "slow;once" SKIP_RETURN_CODE 77 TIMEOUT 600)
add_test(NAME api_client COMMAND Python3::Interpreter ${integration}/api_client.py --probe $<TARGET_FILE:center_probe>
  --picket $<TARGET_FILE:picket> --picket-center $<TARGET_FILE:picket-center>)
set_tests_properties(api_client PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 600 COST 60)

# What the center tells of the fleet, and the workspaces of its nodes.
add_test(NAME fleet_state COMMAND Python3::Interpreter ${integration}/fleet_state.py --picketd $<TARGET_FILE:picketd>
  --picket $<TARGET_FILE:picket> --picket-center $<TARGET_FILE:picket-center>)
set_tests_properties(fleet_state PROPERTIES LABELS slow TIMEOUT 900 COST 80)

# What a sensor did not see is known to the center.
add_test(NAME capture_loss COMMAND Python3::Interpreter ${integration}/capture_loss.py --picketd $<TARGET_FILE:picketd>
  --picket $<TARGET_FILE:picket> --picket-center $<TARGET_FILE:picket-center>)
set_tests_properties(capture_loss PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 600)

# The process that holds keys, killed, stopped and given bad keytabs, on captures, live and in picketd.
add_test(NAME keys COMMAND Python3::Interpreter ${integration}/keys.py --picket $<TARGET_FILE:picket>
  --picketd $<TARGET_FILE:picketd>)
set_tests_properties(keys PROPERTIES LABELS slow TIMEOUT 600 RUN_SERIAL ON)

# A center whose disk fills, whose database is locked and whose outputs are dead, while a node delivers.
add_test(NAME center_trouble COMMAND Python3::Interpreter ${integration}/center_trouble.py --feeder $<TARGET_FILE:feeder>
  --picketd $<TARGET_FILE:picketd> --picket $<TARGET_FILE:picket> --picket-center $<TARGET_FILE:picket-center>)
set_tests_properties(center_trouble PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 900 COST 60)
