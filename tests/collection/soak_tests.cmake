# Mixed work with kills, and whether anything that it takes up keeps growing: seconds by default, half an hour when slow.
add_executable(soak_program soak_program.cpp)
kith_own_target(soak_program)
target_link_libraries(soak_program PRIVATE kith::kith)
add_test(NAME collection.soak COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/soak.py"
  $<TARGET_FILE:soak_program> 0.25)
set_tests_properties(collection.soak PROPERTIES LABELS collection TIMEOUT 300)
add_test(NAME collection.soak.slow COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/soak.py"
  $<TARGET_FILE:soak_program> 30)
set_tests_properties(collection.soak.slow PROPERTIES LABELS "collection;slow" TIMEOUT 2400)
