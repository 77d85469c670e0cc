// tests/core/memory_and_error_test.cpp — address space that never moves, and errors that can be acted on.
#include "kith/core/error.hpp"
#include "kith/core/random.hpp"
#include "kith/core/reserved_memory.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>

using kith::Errc;
using kith::ReservedMemory;

TEST_CASE("ReservedMemory reads as zero, is aligned to a huge page and costs nothing until touched") {
    const ReservedMemory memory(std::size_t{1} << 36);
    CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % (std::size_t{1} << 21) == 0);
    CHECK(memory.data()[0] == std::byte{0});
    CHECK(memory.data()[memory.size() - 1] == std::byte{0});
    memory.data()[memory.size() - 1] = std::byte{7};
    CHECK(memory.data()[memory.size() - 1] == std::byte{7});
}

TEST_CASE("ReservedMemory moves its bytes without moving them in memory") {
    ReservedMemory first(4096);
    std::byte* const data = first.data();
    data[100] = std::byte{9};
    ReservedMemory second = std::move(first);
    CHECK(second.data() == data);
    CHECK(second.data()[100] == std::byte{9});
    second = ReservedMemory();
    CHECK(second.data() == nullptr);
    CHECK(second.size() == 0);
}

TEST_CASE("Address space that cannot be had is an error, not a crash") {
    try {
        const ReservedMemory memory(std::size_t{1} << 60);
        FAIL("reserved an exabyte");
    } catch (const kith::Error& error) {
        CHECK(error.code() == Errc::out_of_memory);
        CHECK(std::string(error.what()).find("1152921504606846976 bytes") != std::string::npos);
    }
}

TEST_CASE("Every error code has a name of its own") {
    for (int i = 0; i <= static_cast<int>(Errc::limit_exceeded); ++i) {
        CHECK(kith::name(static_cast<Errc>(i)) != "unknown");
        for (int j = 0; j < i; ++j) CHECK(kith::name(static_cast<Errc>(i)) != kith::name(static_cast<Errc>(j)));
    }
}

TEST_CASE("attempt hands back what was raised, and nothing otherwise") {
    CHECK(kith::attempt([] {}) == nullptr);
    const std::exception_ptr raised = kith::attempt([] { kith::raise(Errc::io, "the disk"); });
    REQUIRE(raised != nullptr);
    CHECK_THROWS_AS(std::rethrow_exception(raised), kith::Error);
}

TEST_CASE("SplitMix64 gives the published sequence, and bounds hold") {
    kith::SplitMix64 random(1234567);
    CHECK(random() == 6457827717110365317ULL);
    CHECK(random() == 3203168211198807973ULL);
    CHECK(random() == 9817491932198370423ULL);
    for (int i = 0; i < 1000; ++i) {
        const double uniform = random.uniform();
        CHECK((uniform >= 0 && uniform < 1));
        CHECK(random.below(7) < 7);
    }
}
