// kith/index/coded_index.hpp — an index over codes, whose best answers are compared again by their full vectors.
//
// Codes are what a search reads most, so they decide its speed; what they blur, the rescoring sets right. The index
// inside is any index over Rows: it does not know that its rows are codes.
//
// Until there are enough vectors to learn from, nothing is coded, and who owns the index scans them.
//
// Thread safety: insert is called by one thread at a time, beside any number of searches.
#pragma once

#include "kith/core/element.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/index/code_memory.hpp"
#include "kith/index/flat_batch.hpp"
#include "kith/index/search_params.hpp"
#include "kith/index/search_scratch.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace kith::inline v0 {

namespace detail {

inline constexpr std::size_t rescored_at_once = 8;
inline constexpr float rescored_deviations = 3;

/// Offers `found`, sorted by the distances of their codes, to `best` at the distances of their full vectors.
///
/// By how much codes overrate distances is seen on the first ones: its mean and its deviation. Whoever would still be
/// too far with three deviations in his favour ends the comparing. Requires: best is empty.
template <Scorer S>
void rescore(const S& exact, std::span<const Neighbor> found, std::size_t limit, TopK& best) noexcept {
    std::array<Slot, 64> slots;
    std::array<float, 64> distances;
    float sum = 0, squares = 0;  // of the errors: by how much a code's distance is too long
    std::size_t count = std::min(limit, slots.size());
    for (std::size_t first = 0; first < found.size();
         first += count, count = first < limit ? count : rescored_at_once) {
        const float mean = first == 0 ? 0 : sum / static_cast<float>(first);
        const float variance = first == 0 ? 0 : std::max(squares / static_cast<float>(first) - mean * mean, 0.0F);
        if (found[first].distance - mean - rescored_deviations * std::sqrt(variance) > best.worst_distance()) return;
        count = std::min(count, found.size() - first);
        for (std::size_t i = 0; i < count; ++i) slots[i] = found[first + i].slot;
        exact.score(slots.data(), count, distances.data());
        for (std::size_t i = 0; i < count; ++i) {
            const float error = found[first + i].distance - distances[i];
            sum += error;
            squares += error * error;
            best.offer({distances[i], slots[i]});
        }
    }
}

}  // namespace detail

/// `Tag` makes the index inside; R are the full vectors, which every call is given.
template <class Tag, class Q, class R>
class CodedIndex {
    static_assert(Number<typename R::Element>,
                  "kith: packed bits are codes already, so no quantizer makes codes of them; write kith::Hnsw<> or "
                  "kith::Flat");
    using Codes = detail::CodeMemory<Q, typename R::Metric>;
    using Inner = typename Tag::template Index<typename Codes::View>;

    /// Vectors from which on there is something to learn, if the codec does not ask for more: the mean of so many is
    /// near enough to that of all that come.
    static constexpr std::size_t smallest_sample = 256;

public:
    explicit CodedIndex(Slot capacity) : codes_(capacity), inner_(Tag::template make<typename Codes::View>(capacity)) {}

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static CodedIndex map(std::span<const std::byte> image, Slot count) {
        return CodedIndex(image, count, 0);
    }

    /// The first so many slots are in the index.
    [[nodiscard]] Slot size() const noexcept { return inner_.size(); }

    /// Codes and indexes the slots from size() up to `count`; nothing while they are too few to learn from.
    /// Throws: what training throws, std::bad_alloc; size() says how far it came.
    void insert(const R& rows, Slot count, unsigned threads = 1) {
        if (!codes_.trained()) {
            if (count < std::max(smallest_sample, Codes::Codec::fewest_vectors(rows.dim()))) return;
            const std::size_t sample = std::min<std::size_t>(count, largest_sample);
            Training training;
            training.threads = threads;
            std::vector<float> floats;
            codes_.train(rows.matrix(sample, floats), training);
        }
        codes_.append(rows, count, threads);
        inner_.insert(codes_.view(), count, threads);
    }

    /// The nearest allowed slots below size(), nearest first, at the distances of their full vectors.
    std::size_t search(const R& rows, const float* query, const SearchParams& params, SearchScratch& scratch,
                       Neighbor* out) const {
        const Slot indexed = size();
        const std::size_t limit = std::min<std::size_t>(params.limit, std::min(indexed, params.allowed.count()));
        if (limit == 0) return 0;
        SearchParams coarse = params;
        coarse.stretched = limit;
        coarse.limit = std::min<std::size_t>(coarse_limit(params, limit), indexed);
        scratch.coarse.resize(coarse.limit);
        const std::size_t found = inner_.search(codes_.view(), query, coarse, scratch, scratch.coarse.data());
        TopK best(std::span(out, limit));
        detail::rescore(rows.scorer(query, scratch.query), std::span(scratch.coarse).first(found), limit, best);
        return best.sorted().size();
    }

    /// What search() answers to each of `count` queries, from one pass over the codes for 256 of them. found[i] is what
    /// it returns for query i. Shape: the answers to query i begin at out + i · width, where width is
    /// min(params.limit, params.allowed.count()).
    void search_batch(const R& rows, const float* queries, std::size_t count, const SearchParams& params,
                      SearchScratch& scratch, Neighbor* out, std::size_t* found) const
        requires(Tag::reads_all)
    {
        const BitsetView allowed = params.allowed.first(std::min(size(), params.allowed.count()));
        const std::size_t width = std::min<std::size_t>(params.limit, params.allowed.count());
        const std::size_t limit = std::min<std::size_t>(params.limit, allowed.count());
        const std::size_t coarse = std::min<std::size_t>(coarse_limit(params, limit), allowed.count());
        scratch.coarse.resize(count * coarse);
        detail::search_batch(codes_.view(), queries, count, coarse, allowed, scratch, scratch.coarse.data(), found);
        for (std::size_t at = 0; at < count; ++at) {
            TopK best(std::span(out + at * width, limit));
            detail::rescore(rows.scorer(queries + at * rows.dim(), scratch.query),
                            std::span(scratch.coarse).subspan(at * coarse, found[at]), limit, best);
            found[at] = best.sorted().size();
        }
    }

    /// Writes the image that map() reads: the codes, then the index inside.
    template <class Sink>
    void save(const Sink& sink) const {
        if (!codes_.trained()) return;
        codes_.save(sink);
        inner_.save(sink);
    }

private:
    static constexpr std::size_t largest_sample = 65536;

    /// How many of the nearest codes are compared again by their vectors, at most. A walk that keeps few candidates has
    /// no more to compare.
    [[nodiscard]] static std::size_t coarse_limit(const SearchParams& params, std::size_t limit) noexcept {
        const float factor = params.rescore > 0 ? params.rescore : Q::rescore;
        const auto wanted = static_cast<std::size_t>(std::ceil(static_cast<float>(limit) * std::max(factor, 1.0F)));
        return Tag::reads_all ? wanted : std::min(wanted, std::max<std::size_t>(limit, params.ef_search));
    }

    /// Without bytes: too few vectors came to learn from.
    CodedIndex(std::span<const std::byte> image, Slot count, std::size_t used)
        : codes_(image.empty() ? Codes(count) : Codes(image, count, used)),
          inner_(image.empty() ? Tag::template make<typename Codes::View>(0)
                               : Tag::template map<typename Codes::View>(image.subspan(used), count)) {}

    Codes codes_;
    Inner inner_;
};

}  // namespace kith::inline v0
