// tests/collection/row_store_test.cpp — rows that stay where they are, and rows that are taken back.
#include "kith/collection/row_store.hpp"

#include "support/catch.hpp"

#include <string>
#include <vector>

using kith::Slot;
using kith::detail::RowStore;

namespace {

/// Rows of all lengths, some longer than a block of the store.
std::string row(Slot slot) {
    return std::string(1 + (slot % 5 == 4 ? 300'000 : slot * 7919 % 50'000), static_cast<char>('a' + slot % 26));
}

void append(RowStore& store, Slot count) {
    for (Slot slot = store.size(); slot < count; ++slot) store.append("key-" + std::to_string(slot % 7), row(slot));
}

}  // namespace

TEST_CASE("A row store keeps its rows where they are, whatever is taken back after them") {
    for (Slot kept = 0; kept <= 40; ++kept) {
        RowStore store(100);
        append(store, kept);
        std::vector<const char*> places;
        for (Slot slot = 0; slot < kept; ++slot) places.push_back(store[slot].data());
        append(store, 60);
        store.truncate(70);
        CHECK(store.size() == 60);
        store.truncate(kept);
        CHECK(store.size() == kept);
        append(store, 60);
        for (Slot slot = 0; slot < 60; ++slot) REQUIRE(store[slot] == row(slot));
        for (Slot slot = 0; slot < kept; ++slot) CHECK(store[slot].data() == places[slot]);
    }
}

TEST_CASE("Rows that are appended and taken back again and again take the same place") {
    RowStore store(100);
    append(store, 10);
    append(store, 30);
    const char* const place = store[10].data();
    for (int round = 0; round < 100; ++round) {
        store.truncate(10);
        append(store, 30);
        REQUIRE(store[10].data() == place);
    }
}

TEST_CASE("A key is found at its newest slot that is allowed, and a key that is not there is not") {
    RowStore store(100);
    append(store, 21);
    CHECK(store.find("key-3", kith::BitsetView(21)) == Slot{17});
    CHECK(store.find("key-3", kith::BitsetView(17)) == Slot{10});
    const std::uint64_t excluded = (std::uint64_t{1} << 17) | (std::uint64_t{1} << 10);
    CHECK(store.find("key-3", kith::BitsetView(&excluded, 21)) == Slot{3});
    CHECK_FALSE(store.find("key-3", kith::BitsetView(3)).has_value());
    CHECK_FALSE(store.find("key-7", kith::BitsetView(21)).has_value());
    CHECK(store.key(20) == "key-6");
}
