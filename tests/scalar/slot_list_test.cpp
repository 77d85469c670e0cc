// tests/scalar/slot_list_test.cpp — lists of slots, and that their bytes are those of CRoaring.
#include "support/catch.hpp"
#include "support/raised.hpp"

#include "kith/core/random.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/slot_list.hpp"
#include "kith/storage/delete_bitmap.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using kith::Slot;
using kith::SplitMix64;
using kith::detail::add_slot_list;
using kith::detail::append_slot_list;
using kith::detail::words_of;
using kith_test::raised;

using Words = std::vector<std::uint64_t>;

constexpr Slot universe = 300'001;

/// Containers of every sort: empty, few, half, all, runs.
std::vector<Words> samples() {
    SplitMix64 random(3);
    std::vector<Words> made;
    for (const std::uint64_t one_of : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{30}, std::uint64_t{5000}}) {
        Words words(words_of(universe));
        for (Slot slot = 0; slot < universe; ++slot) {
            const bool set = slot / 65536 == 2 ? slot % 1000 < 500 : random.below(one_of) == 0;
            if (set) words[slot / 64] |= std::uint64_t{1} << (slot % 64);
        }
        made.push_back(words);
    }
    Words empty(words_of(universe));
    made.push_back(empty);
    empty.back() = 1;
    made.push_back(empty);
    return made;
}

std::vector<Slot> slots_of(const Words& words) {
    std::vector<Slot> slots;
    for (Slot slot = 0; slot < universe; ++slot) {
        if (((words[slot / 64] >> (slot % 64)) & 1U) != 0) slots.push_back(slot);
    }
    return slots;
}

std::string list_of(const Words& words) {
    std::string list;
    append_slot_list(std::span<const std::uint64_t>(words), list);
    return list;
}

TEST_CASE("A list of slots is read as it was written, from bits or from numbers") {
    for (const Words& words : samples()) {
        const std::string list = list_of(words);
        std::string same;
        append_slot_list(std::span<const Slot>(slots_of(words)), same);
        CHECK(list == same);
        Words read(words.size());
        add_slot_list(list, universe, read);
        CHECK(read == words);
    }
}

TEST_CASE("Lists of slots have the bytes of CRoaring") {
    constexpr std::size_t header_bytes = 16;
    for (const Words& words : samples()) {
        CHECK(list_of(words) == kith::detail::encode_bitmap(words.data(), universe).substr(header_bytes));
    }
}

TEST_CASE("Reading a list keeps the bits that were set before") {
    const Words sample = samples()[2];
    Words words(words_of(universe), 0x5555555555555555U);
    add_slot_list(list_of(sample), universe, words);
    for (std::size_t at = 0; at < words.size(); ++at) {
        if (words[at] != (0x5555555555555555U | sample[at])) FAIL("word " << at);
    }
    SUCCEED();
}

TEST_CASE("A damaged list is refused or sets bits of the answer alone") {
    SplitMix64 random(4);
    for (const Words& words : samples()) {
        const std::string list = list_of(words);
        for (int round = 0; round < 300; ++round) {
            std::string bad = list;
            bad[random.below(round % 2 == 0 ? bad.size() : std::min<std::size_t>(bad.size(), 40))] ^=
                static_cast<char>(1U << random.below(8));
            Words read(words.size() + 1);
            static_cast<void>(raised([&] { add_slot_list(bad, universe, std::span(read).first(words.size())); }));
            CHECK(read.back() == 0);
            CHECK((read[words.size() - 1] >> (universe % 64)) == 0);
        }
        for (std::size_t size = 0; size < list.size(); size += 1 + list.size() / 200) {
            Words read(words.size());
            const auto refused = raised([&] { add_slot_list(std::string_view(list).substr(0, size), universe, read); });
            CHECK(refused.code == kith::Errc::corrupt);
            CHECK(refused.says("a list of slots is damaged"));
        }
        CHECK(raised([&] {
                  Words read(words.size());
                  add_slot_list(list + 'x', universe, read);
              }).code == kith::Errc::corrupt);
    }
}

TEST_CASE("A list that names a slot past the last is refused") {
    Words words(words_of(universe));
    words.back() = std::uint64_t{1} << (universe % 64);
    Words read(words.size());
    CHECK(raised([&] { add_slot_list(list_of(words), universe, read); }).says("300001 slots"));
}

}  // namespace
