// tests/support/await.hpp — waits for what another thread or process brings about.
#pragma once

#include "support/catch.hpp"

#include <chrono>
#include <thread>

namespace kith_test {

/// Returns once done() is true, and fails the test when it is not for a minute.
template <class Done>
void await(const Done& done) {
    for (int turn = 0; turn < 60'000 && !done(); ++turn) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    REQUIRE(done());
}

}  // namespace kith_test
