// tests/core/bitset_view_test.cpp — the slots that a search may return: as bits, as a check, and as a number.
#include "kith/core/bitset_view.hpp"
#include "kith/core/random.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

using kith::BitsetView;
using kith::Slot;

namespace {

std::vector<std::uint64_t> random_words(std::size_t count) {
    kith::SplitMix64 random(count);
    std::vector<std::uint64_t> words(count);
    for (std::uint64_t& word : words) word = random.below(4) == 0 ? ~std::uint64_t{0} : random();
    return words;
}

/// Allows what does not divide by 3, and notes how often it is asked.
class Thirds final : public kith::SlotCheck {
public:
    [[nodiscard]] bool allows(Slot slot) const noexcept override {
        ++asked;
        return slot % 3 != 0;
    }
    mutable Slot asked = 0;
};

}  // namespace

TEST_CASE("A view allows what is not excluded and exists, slot by slot, word by word, and as a number") {
    const std::vector<std::uint64_t> words = random_words(9);
    for (const Slot count : {Slot{1}, Slot{63}, Slot{64}, Slot{65}, Slot{500}, Slot{576}}) {
        const BitsetView view(words.data(), count);
        Slot allowed = 0;
        for (Slot slot = 0; slot < count; ++slot) {
            const bool expected = ((words[slot / 64] >> (slot % 64)) & 1U) == 0;
            CHECK(view.allows(slot) == expected);
            CHECK(((view.allowed_word(slot / 64) >> (slot % 64)) & 1U) == (expected ? 1U : 0U));
            allowed += expected ? 1U : 0U;
        }
        CHECK_FALSE(view.allows(count));
        CHECK(view.count_allowed() == allowed);
    }
}

TEST_CASE("A check is asked of what is not excluded, and of nothing else") {
    const std::vector<std::uint64_t> words = random_words(4);
    constexpr Slot count = 250;
    const Thirds thirds;
    const BitsetView others(words.data(), count);
    const BitsetView view(others, 90, thirds);
    CHECK_FALSE(view.all());
    CHECK_FALSE(BitsetView(BitsetView(count), 90, thirds).all());
    CHECK(view.count_allowed() == 90);  // as it was said
    CHECK(view.most_allowed() == count);
    CHECK(others.most_allowed() == others.count_allowed());
    for (Slot slot = 0; slot < 300; ++slot) {
        CHECK(view.allows(slot) == (others.allows(slot) && slot % 3 != 0));
        if (slot < count) CHECK(((view.allowed_word(slot / 64) >> (slot % 64)) & 1U) == (view.allows(slot) ? 1U : 0U));
    }
    thirds.asked = 0;
    for (Slot slot = 0; slot < 300; ++slot) static_cast<void>(view.allows(slot));
    CHECK(thirds.asked == others.count_allowed());
    const BitsetView half = view.first(125);
    CHECK(half.count_allowed() == 45);
    for (Slot slot = 0; slot < 300; ++slot) CHECK(half.allows(slot) == (slot < 125 && view.allows(slot)));
}
