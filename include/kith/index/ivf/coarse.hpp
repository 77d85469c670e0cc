// kith/index/ivf/coarse.hpp — the lists nearest to a query, by a graph over the centroids when there are many.
//
// Comparing all centroids costs as much as reading some lists, up to several thousand of them. Beyond that a graph
// finds nearly the same ones in a logarithm of the time. Which lists are read is a matter of recall, so nearly is
// enough; where every list may be needed, all are compared after all.
//
// Thread safety: immutable once built; any number of threads may ask.
#pragma once

#include "kith/core/bitset_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/reserved_memory.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/l2.hpp"
#include "kith/index/hnsw.hpp"
#include "kith/index/index_space.hpp"
#include "kith/index/raw_rows.hpp"
#include "kith/index/search_params.hpp"
#include "kith/index/search_scratch.hpp"
#include "kith/quantize/centroids.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace kith::inline v0::detail {

/// A graph over centroids, by L2 or by InnerProduct.
template <bool product>
class CentroidGraph {
    using M = std::conditional_t<product, InnerProduct, L2>;
    using View = RawRows<float, M>;

public:
    explicit CentroidGraph(const Centroids& centroids)
        : dim_(centroids.dim()),
          memory_(rows_of(centroids)),
          kernels_(View::kernels_for(best_isa())),
          graph_(params, static_cast<Slot>(centroids.size())) {
        graph_.insert(view(), static_cast<Slot>(centroids.size()));
    }

    /// The graph that save() wrote, over bytes that outlive it. Throws: Errc::corrupt, Errc::unsupported_version.
    CentroidGraph(const Centroids& centroids, const ImageBytes& image)
        : dim_(centroids.dim()),
          memory_(rows_of(centroids)),
          kernels_(View::kernels_for(best_isa())),
          graph_(HnswIndex<View>::map(image, static_cast<Slot>(centroids.size()))) {}

    /// The same graph as `other`, over the same centroids.
    CentroidGraph(const Centroids& centroids, const CentroidGraph& other)
        : dim_(centroids.dim()),
          memory_(rows_of(centroids)),
          kernels_(other.kernels_),
          graph_(params, static_cast<Slot>(centroids.size())) {
        const auto lists = static_cast<Slot>(centroids.size());
        if (other.graph_.size() != lists || !graph_.adopt(view(), other.graph_)) graph_.insert(view(), lists);
    }

    /// The `count` nearest lists or nearly so, nearest first; returns how many. Uses all of `scratch` that graphs use.
    /// Shape: `out` has room for count. Throws: std::bad_alloc while `scratch` still grows.
    std::size_t nearest(const float* query, std::size_t count, SearchScratch& scratch, Neighbor* out) const {
        const SearchParams search{.limit = count,
                                  .ef_search = static_cast<std::uint32_t>(std::max<std::size_t>(32, count + count / 2)),
                                  .allowed = BitsetView(graph_.size())};
        return graph_.search(view(), query, search, scratch, out);
    }

    template <class Sink>
    void save(const Sink& sink) const {
        graph_.save(sink);
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return View::stride_for(dim_) * sizeof(float) * graph_.size() + graph_.memory_bytes();
    }
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot lists) noexcept {
        return HnswIndex<View>::space(params, lists) + IndexSpace{View::stride_for(dim) * sizeof(float) * lists, 0};
    }

private:
    static constexpr HnswParams params{.max_links = 16, .ef_construction = 100};

    [[nodiscard]] static ReservedMemory rows_of(const Centroids& centroids) {
        const std::size_t stride = View::stride_for(centroids.dim());
        ReservedMemory memory(stride * sizeof(float) * centroids.size());
        auto* const rows = reinterpret_cast<float*>(memory.data());
        for (std::size_t list = 0; list < centroids.size(); ++list) {
            View::write_row(rows + list * stride, centroids.row(list), centroids.dim());
        }
        return memory;
    }

    [[nodiscard]] View view() const noexcept {
        return View(reinterpret_cast<const float*>(memory_.data()), dim_, kernels_);
    }

    std::size_t dim_;
    ReservedMemory memory_;  // the centroids as rows
    Kernels<float> kernels_;
    HnswIndex<View> graph_;
};

}  // namespace kith::inline v0::detail
