// kith/index/tags.hpp — the names by which a schema chooses an index.
//
// A tag says which index template serves a vector field and how one is made; it is never an object.
#pragma once

#include "kith/core/error.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/flat.hpp"
#include "kith/index/hnsw.hpp"

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

/// Walks a graph: nearly exact, in logarithmic time.
template <HnswParams P = HnswParams{}>
struct Hnsw {
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

}  // namespace kith::inline v0
