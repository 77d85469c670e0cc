// kith/index/tags.hpp — the names by which a schema chooses an index.
//
// A tag says which index template serves a vector field and how one is made; it is never an object.
#pragma once

#include "kith/core/error.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/coded_index.hpp"
#include "kith/index/flat.hpp"
#include "kith/index/hnsw.hpp"
#include "kith/quantize/scalar.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace kith::inline v0 {

/// Compares every vector: exact, and fast enough up to some ten thousand.
struct Flat {
    static constexpr std::string_view name = "flat";  // stored on disk: never rename

    template <class R>
    using Index = FlatIndex<R>;

    template <class R>
    [[nodiscard]] static FlatIndex<R> make(Slot) noexcept {
        return FlatIndex<R>();
    }

    /// Throws: Errc::corrupt.
    template <class R>
    [[nodiscard]] static FlatIndex<R> map(std::span<const std::byte> image, Slot count) {
        if (!image.empty()) raise(Errc::corrupt, "flat image: holds bytes where there are none");
        return FlatIndex<R>(count);
    }
};

/// `Tag` over the codes of quantizer Q, rescored by the full vectors: Coded<Flat, Sq8>.
template <class Tag, class Q>
struct Coded {
private:
    static constexpr auto letters = [] {
        std::array<char, Tag::name.size() + 1 + Q::name.size()> joined{};
        auto* at = joined.data();
        for (const char letter : Tag::name) *at++ = letter;
        *at++ = '/';
        for (const char letter : Q::name) *at++ = letter;
        return joined;
    }();

public:
    static constexpr std::string_view name{letters.data(), letters.size()};  // stored on disk: never rename

    template <class R>
    using Index = CodedIndex<Tag, Q, R>;

    template <class R>
    [[nodiscard]] static Index<R> make(Slot capacity) {
        return Index<R>(capacity);
    }

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    template <class R>
    [[nodiscard]] static Index<R> map(std::span<const std::byte> image, Slot count) {
        return Index<R>::map(image, count);
    }
};

namespace detail {

/// A graph over rows as they are.
template <HnswParams P>
struct HnswOverRows {
    static constexpr std::string_view name = "hnsw";  // stored on disk: never rename
    static constexpr HnswParams params = P;
    static_assert(P.max_links >= HnswParams::fewest_links && P.max_links <= HnswParams::most_links,
                  "kith: Hnsw: max_links must be between 4 and 64");
    static_assert(P.ef_construction > 0, "kith: Hnsw: ef_construction must be positive");

    template <class R>
    using Index = HnswIndex<R>;

    template <class R>
    [[nodiscard]] static HnswIndex<R> make(Slot capacity) {
        return HnswIndex<R>(P, capacity);
    }

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    template <class R>
    [[nodiscard]] static HnswIndex<R> map(std::span<const std::byte> image, Slot count) {
        return HnswIndex<R>::map(image, count);
    }
};

template <HnswParams P, class Q>
struct HnswBase : Coded<HnswOverRows<P>, Q> {
    static constexpr HnswParams params = P;
};
template <HnswParams P>
struct HnswBase<P, void> : HnswOverRows<P> {};

}  // namespace detail

/// Walks a graph: nearly exact, in logarithmic time. With a quantizer the graph is built and walked over codes, and the
/// best are compared again by their full vectors: Hnsw<HnswParams{.max_links = 16}, Sq8>.
template <HnswParams P = HnswParams{}, class Q = void>
struct Hnsw : detail::HnswBase<P, Q> {};

}  // namespace kith::inline v0
