// kith/index/vector_index.hpp — the rows and the index of one vector field of one segment, behind one virtual call.
//
// A collection holds fields of many metrics and indexes, known when it is compiled or only when it runs. It reaches
// them all through this seam, which costs one virtual call a query or a batch, never one a distance.
//
// Thread safety: append, truncate and rows belong to one writer. index_up_to may run beside it, one call at a time.
// indexed, vector, score and the searches may be called by any number of threads beside both, for slots
// whose append happened before the call. No search waits for anyone.
#pragma once

#include "kith/core/byte_sink.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/slot.hpp"
#include "kith/index/search_params.hpp"
#include "kith/index/search_plan.hpp"
#include "kith/index/search_scratch.hpp"
#include "kith/quantize/training.hpp"

#include <cstddef>
#include <optional>
#include <span>

namespace kith::inline v0 {

class VectorIndex {
public:
    VectorIndex() = default;
    VectorIndex(const VectorIndex&) = delete;
    VectorIndex& operator=(const VectorIndex&) = delete;
    virtual ~VectorIndex() = default;

    /// Floats of each vector and query, whatever elements the rows are made of.
    [[nodiscard]] virtual std::size_t dim() const noexcept = 0;

    /// Rows appended so far: the slot the next one gets.
    [[nodiscard]] virtual Slot rows() const noexcept = 0;

    /// The first so many slots are in the index, or wait for it to learn from more; what is not in it is scanned.
    [[nodiscard]] virtual Slot indexed() const noexcept = 0;

    /// Copies a vector into the next row, each float rounded to the nearest element within the range of the rows' type.
    /// Requires: rows() is below the capacity; the index is not mapped.
    /// Shape: `vector` holds dim() elements, finite, and not all zero under Cosine.
    virtual void append(const float* vector) noexcept = 0;

    /// Takes over the rows of `other` and its index over them, slot for slot: as if they had been appended and indexed
    /// here, at the cost of a copy. Slots that are appended later join what is there. False, and nothing has changed,
    /// where `other` is of another kind, metric, element, dimension or parameters, or is damaged.
    /// Requires: this is empty, not mapped, and not searched meanwhile; other.rows() is at most its capacity; `other`,
    ///           mapped or not, does not change meanwhile.
    /// Ensures: what is damaged in files that are read through a cache is found by who reads it, and was copied.
    /// Throws: for want of memory; this is to be thrown away then.
    [[nodiscard]] virtual bool adopt(const VectorIndex& other) = 0;

    /// Forgets the rows from `count` on.
    /// Requires: indexed() is at most `count`, and no search was told of the rows that go.
    virtual void truncate(Slot count) noexcept = 0;

    /// Puts the slots from indexed() up to `count` into the index; returns when they are there.
    /// Requires: `count` is at most rows(), as seen by the caller.
    /// Throws: for want of memory; indexed() then says how far it came, and a later call goes on from there.
    virtual void index_up_to(Slot count, unsigned threads) = 0;

    /// Copies the vector of a slot, bit for bit as it was appended to rows of floats, and exactly what is kept of it in
    /// others. Shape: `out` has room for dim() elements.
    virtual void vector(Slot slot, float* out) const noexcept = 0;

    /// The nearest allowed slots: the index is asked for those it holds, the rest up to params.allowed.count() is
    /// scanned. Returns min(params.limit, allowed slots) of them, never fewer but where params.bound is finite.
    /// Ensures: nearest first, equal distances by slot.
    /// Shape: `query` holds dim() elements, `out` has room for min(params.limit, params.allowed.count()).
    /// Throws: std::bad_alloc while `scratch` still grows; after that nothing is allocated.
    virtual std::size_t search(const float* query, const SearchParams& params, SearchScratch& scratch,
                               Neighbor* out) const = 0;

    /// How search() would go about it with these parameters.
    [[nodiscard]] virtual SearchPlan plan(const SearchParams& params) const noexcept = 0;

    /// As search, with every allowed slot compared.
    virtual std::size_t search_exact(const float* query, const SearchParams& params, SearchScratch& scratch,
                                     Neighbor* out) const = 0;

    /// What search() answers to each of `count` queries, the same to the last bit, by as many threads as there are
    /// scratches. found[i] is what it returns for query i.
    /// Requires: there is a scratch.
    /// Shape: `queries` holds count · dim() elements; the answers to query i begin at out + i · width, where width is
    ///        min(params.limit, params.allowed.count()) and `out` has room for count · width. `bounds`, where it is
    ///        given, has SearchParams::bound of each query.
    /// Cost: where every row is compared, the rows are read once for 256 queries.
    virtual void search_many(const float* queries, std::size_t count, const SearchParams& params,
                             std::span<SearchScratch* const> scratches, Neighbor* out, std::size_t* found,
                             const float* bounds = nullptr) const = 0;

    /// As search_many, with every allowed slot compared. Fewer queries than threads are answered one after the other,
    /// each by all threads.
    virtual void search_exact_many(const float* queries, std::size_t count, const SearchParams& params,
                                   std::span<SearchScratch* const> scratches, Neighbor* out,
                                   std::size_t* found) const = 0;

    /// Whether calibrate() would pay: the index has twice the slots it was measured with, or outgrew what it learned.
    /// Thread safety: as index_up_to, and not beside it.
    [[nodiscard]] virtual bool calibration_due() const noexcept = 0;

    /// Trains anew an index that has outgrown what it learned, and measures what recall each effort gives, for tuned().
    /// Nothing happens where every search is exact.
    /// Cost: 200 exact searches and some 5000 indexed ones.
    /// Thread safety: as index_up_to, and not beside it.
    /// Throws: Errc::cancelled and what training.progress throws; tuned() then guesses or knows what it
    ///         knew.
    virtual void calibrate(const Training& training = {}) = 0;

    /// Slots that were in the index when it was last calibrated; 0 before, and always where every search is exact.
    [[nodiscard]] virtual Slot calibrated() const noexcept = 0;

    /// `params` with the effort that finds the share `recall` of the nearest params.limit; nothing where only an exact
    /// search does. Before the first calibration it is a cautious guess.
    [[nodiscard]] virtual std::optional<SearchParams> tuned(double recall, SearchParams params) const noexcept = 0;

    /// A distance in the convention the metric shows to users.
    [[nodiscard]] virtual float score(float distance) const noexcept = 0;

    /// Writes the image of the rows, or of the graph, that map_vector_index reads. The caller adds the checksum.
    /// Requires: every row is indexed, and nothing changes meanwhile.
    /// Throws: what `sink` throws.
    virtual void save_rows(const ByteSink& sink) const = 0;
    virtual void save_graph(const ByteSink& sink) const = 0;

    /// Bytes of memory of its own that hold something: rows, graph, codes, curves, and what of them is kept for searches
    /// that may be reading it. What is mapped counts nothing, nor does memory that is reserved and was never written.
    /// Thread safety: as index_up_to, and not beside it.
    [[nodiscard]] virtual std::size_t memory_bytes() const noexcept = 0;

    /// An address that indexes of one type share, and none of another type has.
    [[nodiscard]] virtual const void* kind() const noexcept = 0;
};

}  // namespace kith::inline v0
