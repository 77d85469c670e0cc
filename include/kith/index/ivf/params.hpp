// kith/index/ivf/params.hpp — what shapes an inverted file.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

/// Usable as a template argument, so that a schema can name it.
struct IvfParams {
    std::uint32_t lists = 0;          ///< parts the space is cut into; 0: about 2 √count when it is trained
    std::uint32_t nprobe = 0;         ///< lists a search reads unless it says otherwise; 0: a sixteenth, at least 8
    std::uint32_t subvectors = 0;     ///< pieces of a product code; 0: chosen by the dimension
    std::uint32_t graph_from = 8192;  ///< with so many lists and more, a graph finds the nearest ones
    std::uint64_t seed = 0x6b697468;  ///< same seed, same rows: same lists

    static constexpr std::uint32_t most_lists = 1U << 20;
    static constexpr std::uint32_t most_subvectors = 4096;
    static constexpr std::uint32_t rows_a_list = 32;  ///< with fewer rows a list it is not trained but scans

    /// The lists to make of `count` rows.
    [[nodiscard]] std::size_t lists_for(std::size_t count) const noexcept {
        if (lists != 0) return lists;
        const auto wanted = static_cast<std::size_t>(2 * std::sqrt(static_cast<double>(count)));
        return wanted < 16 ? 16 : wanted / 16 * 16;
    }

    /// Rows from which on there is something to train.
    [[nodiscard]] std::size_t trains_from() const noexcept {
        constexpr std::size_t scanned = 5000;  // below that comparing all is as fast
        return lists != 0 ? std::size_t{lists} * rows_a_list : scanned;
    }

    friend constexpr bool operator==(const IvfParams&, const IvfParams&) noexcept = default;
};

}  // namespace kith::inline v0
