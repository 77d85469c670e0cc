// kith/scalar/text_dictionary.hpp — distinct texts, numbered in the order in which they came.
//
// The texts stand one after the other, and a table of their numbers finds them by their hashes: some 20 bytes of memory
// a text beside its own.
//
// Thread safety: none; one thread fills one.
#pragma once

#include "kith/core/assert.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

class TextDictionary {
public:
    /// The number of a text, which it gets where it has none.
    /// Requires: there are fewer than 2^32 - 1 of them.
    std::uint32_t number_of(std::string_view text) {
        if (2 * (ends_.size() + 1) > table_.size()) grow();
        std::uint32_t& entry = place_of(text);
        if (entry == none) {
            KITH_ASSERT(ends_.size() < none);
            texts_ += text;
            ends_.push_back(texts_.size());
            entry = static_cast<std::uint32_t>(ends_.size() - 1);
        }
        return entry;
    }

    [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }

    /// A text by its number; valid until the next one comes. Requires: it is below size().
    [[nodiscard]] std::string_view operator[](std::size_t number) const noexcept {
        const std::uint64_t begin = number == 0 ? 0 : ends_[number - 1];
        return std::string_view(texts_).substr(static_cast<std::size_t>(begin),
                                               static_cast<std::size_t>(ends_[number] - begin));
    }

    /// Memory for what it holds.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return texts_.capacity() + ends_.capacity() * sizeof(std::uint64_t) + table_.size() * sizeof(std::uint32_t);
    }

private:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    /// The entry of a text, or where it is to stand. Requires: an entry is free.
    std::uint32_t& place_of(std::string_view text) noexcept {
        const std::size_t mask = table_.size() - 1;
        std::size_t at = std::hash<std::string_view>()(text) & mask;
        while (table_[at] != none && (*this)[table_[at]] != text) at = (at + 1) & mask;
        return table_[at];
    }

    void grow() {
        constexpr std::size_t fewest = 64;
        std::vector<std::uint32_t> larger(table_.empty() ? fewest : 2 * table_.size(), none);
        table_.swap(larger);
        for (std::size_t number = 0; number < ends_.size(); ++number) {
            place_of((*this)[number]) = static_cast<std::uint32_t>(number);
        }
    }

    std::string texts_;
    std::vector<std::uint64_t> ends_;   // of each text in texts_
    std::vector<std::uint32_t> table_;  // a power of 2: numbers, at most half of it; none elsewhere
};

}  // namespace kith::inline v0::detail
