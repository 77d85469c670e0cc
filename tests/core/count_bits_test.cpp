// tests/core/count_bits_test.cpp — bits of many words, counted together and one by one.
#include "kith/core/count_bits.hpp"
#include "kith/core/random.hpp"
#include "support/catch.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

TEST_CASE("Bits of any number of words are counted as one by one") {
    kith::SplitMix64 random(1);
    for (std::size_t count = 0; count <= 40; ++count) {
        std::vector<std::uint64_t> words(count);
        std::size_t bits = 0;
        for (std::uint64_t& word : words) {
            const std::uint64_t kind = random.below(4);
            word = kind == 0 ? 0 : kind == 1 ? ~std::uint64_t{0} : random();
            CHECK(kith::detail::count_bits(word) == static_cast<std::uint64_t>(std::popcount(word)));
            bits += static_cast<std::size_t>(std::popcount(word));
        }
        CHECK(kith::detail::count_bits(words) == bits);
    }
}
