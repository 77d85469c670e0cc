// tests/collection/key_table_test.cpp — keys are found in a table, and a damaged table gives no byte of its neighbours.
#include "kith/collection/key_table.hpp"

#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

using kith::Errc;
using kith::Slot;
using kith::detail::KeySlot;
using kith::detail::KeyTable;

namespace {

struct Keys {
    std::vector<std::string> names;
    std::vector<KeySlot> sorted;
};

/// Keys of many lengths, the empty one among them, with slots in another order.
Keys some_keys(Slot count) {
    Keys keys;
    for (Slot at = 0; at < count; ++at)
        keys.names.push_back(at == 0 ? "" : std::string(at % 9, 'k') + std::to_string(at * 7919));
    for (Slot at = 0; at < count; ++at) keys.sorted.push_back({keys.names[at], count - at});
    std::sort(keys.sorted.begin(), keys.sorted.end());
    return keys;
}

std::string image_of(const std::vector<KeySlot>& keys) {
    std::string image;
    kith::detail::write_key_table(
        keys, [&](const void* data, std::size_t bytes) { image.append(static_cast<const char*>(data), bytes); });
    return image;
}

KeyTable table_over(const std::string& image) {
    return KeyTable(std::as_bytes(std::span(image.data(), image.size())));
}

}  // namespace

TEST_CASE("A key table finds every key it holds and no other") {
    for (const Slot count : {0U, 1U, 2U, 3U, 100U, 1000U}) {
        const Keys keys = some_keys(count);
        const std::string image = image_of(keys.sorted);
        const KeyTable table = table_over(image);
        REQUIRE(table.size() == count);
        for (Slot at = 0; at < count; ++at) {
            REQUIRE(table.find(keys.names[at]) == count - at);
            REQUIRE(table.key(at) == keys.sorted[at].key);
            REQUIRE_FALSE(table.find(keys.names[at] + "x").has_value());
        }
        CHECK_FALSE(table.find("absent").has_value());
    }
}

TEST_CASE("A key table that is cut, or of another version, is refused") {
    const Keys keys = some_keys(20);
    const std::string image = image_of(keys.sorted);
    for (std::size_t bytes = 0; bytes < image.size(); ++bytes) {
        const std::string cut = image.substr(0, bytes);
        REQUIRE(kith_test::raised([&] { table_over(cut); }).code == Errc::corrupt);
    }
    REQUIRE(kith_test::raised([&] { table_over(image + "x"); }).code == Errc::corrupt);
    std::string newer = image;
    newer[0] = 9;
    const kith_test::Raised refused = kith_test::raised([&] { table_over(newer); });
    CHECK(refused.code == Errc::unsupported_version);
    CHECK(refused.says("has version 9; this build reads 1"));
}

TEST_CASE("A damaged key table stays within its bytes") {
    const Keys keys = some_keys(20);
    const std::string image = image_of(keys.sorted);
    for (std::size_t at = 16; at < image.size(); ++at) {
        std::string flipped = image;
        flipped[at] = static_cast<char>(flipped[at] ^ 0x80);
        const KeyTable table = table_over(flipped);
        for (Slot one = 0; one < table.size(); ++one) {
            const std::string_view key = table.key(one);
            if (key.empty()) continue;
            REQUIRE(key.data() >= flipped.data());
            REQUIRE(key.data() + key.size() <= flipped.data() + flipped.size());
        }
        for (const std::string& name : keys.names) static_cast<void>(table.find(name));
    }
}
