// kith/index/tags.hpp — the names by which a schema chooses an index.
//
// A tag says which index template serves a vector field and how one is made; it is never an object.
#pragma once

#include "kith/core/error.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/index/coded_index.hpp"
#include "kith/index/flat.hpp"
#include "kith/index/hnsw.hpp"
#include "kith/index/index_space.hpp"
#include "kith/index/search_params.hpp"
#include "kith/quantize/codec.hpp"
#include "kith/quantize/scalar.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace kith::inline v0 {

// Besides its index, a tag says what effort means to it (see recall_curve.hpp): `ladder<M>` is what to try, rising, and
// try_as_hard<M>(effort, params) sets it for a search. An empty ladder stands for an index that is exact. `reads_all`
// says that a search reads all the index holds, so that exclusions never make it dearer. space<R>(dim, count) is what
// the index takes besides the rows. A tag with `reads_lists` heeds SearchParams::nprobe, one with `rescores` heeds
// SearchParams::rescore.

/// Compares every vector: exact, and fast enough up to some ten thousand.
struct Flat {
    static constexpr std::string_view name = "flat";  // stored on disk: never rename
    static constexpr bool reads_all = true;

    template <class M>
    static constexpr std::array<float, 0> ladder{};

    template <class M>
    static void try_as_hard(float, SearchParams&) noexcept {}

    template <class R>
    using Index = FlatIndex<R>;

    template <class R>
    [[nodiscard]] static FlatIndex<R> make(Slot) noexcept {
        return FlatIndex<R>();
    }

    template <class R>
    [[nodiscard]] static IndexSpace space(std::size_t, Slot) noexcept {
        return {};
    }

    /// Throws: Errc::corrupt.
    template <class R>
    [[nodiscard]] static FlatIndex<R> map(const ImageBytes& image, Slot count) {
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

    static constexpr bool reads_all = Tag::reads_all;
    static constexpr bool rescores = true;

    [[nodiscard]] static constexpr bool fits(std::size_t dim) noexcept { return fits_dimension<Q>(dim); }

    /// Where every code is compared, effort is how many times the limit is compared again by the vectors.
    template <class M>
    static constexpr auto ladder = [] {
        if constexpr (reads_all) return std::array{2.0F, 4.0F, 10.0F, 25.0F, 60.0F};
        if constexpr (!reads_all) return Tag::template ladder<M>;
    }();

    template <class M>
    static void try_as_hard(float effort, SearchParams& search) noexcept {
        if constexpr (reads_all) {
            search.rescore = effort * std::min(beyond_measured(search.limit), 1.5F);
        } else {
            Tag::template try_as_hard<M>(effort, search);
        }
    }

    template <class R>
    using Index = CodedIndex<Tag, Q, R>;

    template <class R>
    [[nodiscard]] static Index<R> make(Slot capacity) {
        return Index<R>(capacity);
    }

    template <class R>
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) {
        return Index<R>::space(dim, count);
    }

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    template <class R>
    [[nodiscard]] static Index<R> map(const ImageBytes& image, Slot count) {
        return Index<R>::map(image, count);
    }
};

namespace detail {

/// A graph over rows as they are.
template <HnswParams P>
struct HnswOverRows {
    static constexpr std::string_view name = "hnsw";  // stored on disk: never rename
    static constexpr bool reads_all = false;
    static constexpr HnswParams params = P;
    static_assert(P.max_links >= HnswParams::fewest_links && P.max_links <= HnswParams::most_links,
                  "kith: Hnsw: max_links must be between 4 and 64");
    static_assert(P.ef_construction > 0, "kith: Hnsw: ef_construction must be positive");

    /// Where no distance is below zero, how far a walk stretches; else how many candidates it keeps.
    template <class M>
    static constexpr bool stretches = !std::same_as<M, InnerProduct>;

    template <class M>
    static constexpr auto ladder =
        stretches<M> ? std::array{1.0F, 1.02F, 1.05F, 1.1F, 1.15F, 1.2F, 1.25F, 1.3F, 1.35F, 1.4F, 1.5F, 1.7F, 2.0F}
                     : std::array{10.0F,  16.0F,  24.0F,  32.0F,  48.0F,  64.0F,  96.0F,
                                  128.0F, 192.0F, 256.0F, 400.0F, 700.0F, 1500.0F};

    template <class M>
    static void try_as_hard(float effort, SearchParams& search) noexcept {
        // A walk that is not near its end by then had better be given up.
        const std::size_t most_kept = std::max<std::size_t>(2000, 4 * search.limit);
        const auto kept = stretches<M> ? static_cast<float>(most_kept) : effort * beyond_measured(search.limit);
        search.stretch = stretches<M> ? effort : 0;
        search.ef_search = static_cast<std::uint32_t>(std::min(kept, 1e9F));
    }

    template <class R>
    using Index = HnswIndex<R>;

    template <class R>
    [[nodiscard]] static HnswIndex<R> make(Slot capacity) {
        return HnswIndex<R>(P, capacity);
    }

    template <class R>
    [[nodiscard]] static IndexSpace space(std::size_t, Slot count) noexcept {
        return HnswIndex<R>::space(P, count);
    }

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    template <class R>
    [[nodiscard]] static HnswIndex<R> map(const ImageBytes& image, Slot count) {
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

namespace detail {

/// Below so many elements codes save little and lose much.
inline constexpr std::size_t coded_from_dim = 32;

}  // namespace detail

/// The index that a vector of `dim` elements gets when its schema names none: a graph, over codes of 4 bits an element
/// where the vectors are long enough for them. On the sets that docs/benchmarks.md names it answers most queries a
/// second of all that take at most 1.2 times the bytes of a float graph. Few vectors are compared one by one, whatever
/// the index. Elements of one byte are as short as codes are, and have none.
template <std::size_t dim, class T = float>
using AutoIndex = std::conditional_t<(dim < detail::coded_from_dim || sizeof(T) == 1), Hnsw<>, Hnsw<HnswParams{}, Sq4>>;

}  // namespace kith::inline v0
