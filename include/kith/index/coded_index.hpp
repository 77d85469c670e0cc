// kith/index/coded_index.hpp — an index over codes, whose best answers are compared again by their full vectors.
//
// Codes are what a search reads most, so they decide its speed; what they blur, the rescoring sets right. The index
// inside is any index over Rows: it does not know that its rows are codes.
//
// What codes depend on is learned from the first vectors, and again when there are four times as many: 1024, 4096,
// 16384, 65536. Then all are coded anew, while the index inside, who knows only which are near to which, stays as it
// is. Lessons come at these counts however vectors arrive, so that the same vectors make the same index. Before the
// first, nothing is coded, and who owns the index scans.
//
// Thread safety: insert is called by one thread at a time, beside any number of searches.
#pragma once

#include "kith/core/element.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/index/code_memory.hpp"
#include "kith/index/flat.hpp"
#include "kith/index/flat_batch.hpp"
#include "kith/index/index_space.hpp"
#include "kith/index/search_params.hpp"
#include "kith/index/search_scratch.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace kith::inline v0 {

namespace detail {

inline constexpr std::size_t rescored_at_once = 8;
inline constexpr std::size_t rescored_first = 16;  // at least: a deviation is that of several
inline constexpr float rescored_deviations = 3;

/// Offers `found`, sorted by the distances of their codes, to `best` at the distances of their full vectors.
///
/// By how much codes overrate distances is seen on the first ones: its mean and its deviation. Whoever would still be
/// too far with three deviations in his favour ends the comparing. Returns how many were compared.
/// Requires: best is empty.
template <Scorer S>
std::size_t rescore(const S& exact, std::span<const Neighbor> found, std::size_t limit, TopK& best) noexcept {
    std::array<Slot, 64> slots;
    std::array<float, 64> distances;
    float sum = 0, squares = 0;  // of the errors: by how much a code's distance is too long
    const std::size_t begin = std::max(limit, rescored_first);
    std::size_t count = std::min(begin, slots.size());
    std::size_t first = 0;
    for (; first < found.size(); first += count, count = first < begin ? count : rescored_at_once) {
        const float mean = first == 0 ? 0 : sum / static_cast<float>(first);
        const float variance = first == 0 ? 0 : std::max(squares / static_cast<float>(first) - mean * mean, 0.0F);
        if (found[first].distance - mean - rescored_deviations * std::sqrt(variance) > best.worst_distance()) break;
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
    return first;
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

public:
    explicit CodedIndex(Slot capacity)
        : capacity_(capacity), inner_(Tag::template make<typename Codes::View>(capacity)) {}

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static CodedIndex map(const ImageBytes& image, Slot count) {
        if (image.empty()) return CodedIndex(0);  // too few vectors came to learn from
        std::size_t used = 0;
        auto codes = std::make_unique<const Codes>(image, count, used);
        return CodedIndex(std::move(codes), image.subspan(used));
    }

    /// The first so many slots are in the index.
    [[nodiscard]] Slot size() const noexcept { return inner_.size(); }

    /// How often codes were learned. To be asked by who inserts.
    [[nodiscard]] std::size_t lessons() const noexcept { return kept_.size(); }

    /// Elements of the vectors that the codes stand for; 0 where there are no codes.
    [[nodiscard]] std::size_t dim() const noexcept { return size() == 0 ? 0 : codes().codec().dim(); }

    /// Codes and indexes the slots from size() up to `count`; nothing while they are too few to learn from.
    /// Throws: what training throws; size() says how far it came.
    void insert(const R& rows, Slot count, unsigned threads = 1) {
        if (newest_ == nullptr) {
            std::size_t lesson = first_lesson(rows.dim());
            if (count < lesson) return;
            while (lesson * lesson_growth <= std::min<std::size_t>(count, last_lesson)) lesson *= lesson_growth;
            learn(rows, lesson, threads);
        }
        while (size() < count) {
            const auto until = static_cast<Slot>(std::min<std::size_t>(count, next_lesson_));
            newest_->append(rows, until, threads);
            inner_.insert(newest_->view(), until, threads);
            if (until == next_lesson_) learn(rows, next_lesson_, threads);
        }
    }

    /// Takes over codes and index of `other`, over the same rows. False, and nothing has changed, where the index inside
    /// cannot. Requires: this is empty, with room for them.
    bool adopt(const R& rows, const CodedIndex& other) {
        if (other.size() == 0) return true;
        kept_.reserve(1);
        auto codes = std::make_unique<Codes>(capacity_);
        codes->adopt(other.codes());
        if (!inner_.adopt(codes->view(), other.inner_)) return false;
        kept_.push_back(std::move(codes));
        newest_ = kept_.back().get();
        codes_.store(newest_, std::memory_order_release);
        next_lesson_ = first_lesson(rows.dim());
        while (next_lesson_ <= size()) next_lesson_ = lesson_after(next_lesson_);
        return true;
    }

    /// The nearest allowed slots below size(), nearest first, at the distances of their full vectors; or given_up.
    std::size_t search(const R& rows, const float* query, const SearchParams& params, SearchScratch& scratch,
                       Neighbor* out) const {
        const Slot indexed = std::min(size(), params.allowed.count());
        const std::size_t limit = std::min<std::size_t>(params.limit, indexed);
        if (limit == 0) return 0;
        SearchParams coarse = params;
        coarse.allowed = params.allowed.first(indexed);  // which were coded before the codes that are read below
        coarse.stretched = limit;
        coarse.limit = std::min<std::size_t>(coarse_limit(params, limit), indexed);
        scratch.coarse.resize(coarse.limit);
        const std::uint64_t before = scratch.counts.distances;
        const std::size_t found = inner_.search(codes().view(), query, coarse, scratch, scratch.coarse.data());
        scratch.counts.codes += scratch.counts.distances - before;  // the index inside does not know of codes
        scratch.counts.distances = before;
        if (found == given_up) return found;
        return rescored(rows, query, found, limit, scratch, out);
    }

    /// The nearest allowed slots below size(): by the codes of all of them, and the best by their full vectors.
    std::size_t scan(const R& rows, const float* query, const SearchParams& params, SearchScratch& scratch,
                     Neighbor* out) const
        requires(!Tag::reads_all)
    {
        const BitsetView allowed = params.allowed.first(std::min(size(), params.allowed.count()));
        const std::size_t limit = std::min<std::size_t>(params.limit, allowed.count());
        if (limit == 0) return 0;
        constexpr float kept = 4;  // how many times as many as are wanted codes hardly misplace
        scratch.coarse.resize(
            std::min<std::size_t>(times(limit, params.rescore > 0 ? params.rescore : kept), allowed.count()));
        TopK nearest(std::span(scratch.coarse.data(), scratch.coarse.size()));
        scratch.counts.codes +=
            detail::scan(codes().view().scorer(query, scratch.query), 0, allowed.count(), allowed, nearest);
        return rescored(rows, query, nearest.sorted().size(), limit, scratch, out);
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
        detail::search_batch(codes().view(), queries, count, coarse, allowed, scratch, scratch.coarse.data(), found);
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
        if (size() == 0) return;
        codes().save(sink);
        inner_.save(sink);
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        std::size_t bytes = inner_.memory_bytes();
        for (const auto& codes : kept_) bytes += codes->memory_bytes();
        return mapped_ ? bytes + mapped_->memory_bytes() : bytes;
    }

    /// What `count` vectors take, when they come a few at a time.
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) {
        if (count < first_lesson(dim)) return {};
        IndexSpace all = Tag::template space<typename Codes::View>(dim, count);
        for (std::size_t lesson = first_lesson(dim); lesson <= count;) {
            lesson = lesson_after(lesson);
            const IndexSpace codes = Codes::space(dim, static_cast<Slot>(std::min<std::size_t>(lesson, count)));
            all.memory_bytes += codes.memory_bytes;
            if (lesson > count) all.disk_bytes += codes.disk_bytes;
        }
        return all;
    }

private:
    static constexpr std::size_t lesson_growth = 4;
    static constexpr std::size_t last_lesson = 65536;

    /// Rows from which on there is something to learn. Codecs ask for as many as make any codes at all.
    [[nodiscard]] static std::size_t first_lesson(std::size_t dim) noexcept {
        constexpr std::size_t enough_for_a_mean = 1024, rows_a_word = 16;
        return std::max(enough_for_a_mean, rows_a_word * Codes::Codec::fewest_vectors(dim));
    }

    CodedIndex(std::unique_ptr<const Codes> codes, const ImageBytes& image)
        : capacity_(codes->size()),
          mapped_(std::move(codes)),
          codes_(mapped_.get()),
          inner_(Tag::template map<typename Codes::View>(image, capacity_)) {}

    /// Requires: size() is not 0.
    [[nodiscard]] const Codes& codes() const noexcept { return *codes_.load(std::memory_order_acquire); }

    /// Codes the slots below size() by what the first `lesson` rows teach. Throws: as insert; nothing has changed then.
    void learn(const R& rows, std::size_t lesson, unsigned threads) {
        Training training;
        training.threads = threads;
        std::vector<float> floats;
        auto codes = std::make_unique<Codes>(capacity_);
        codes->train(rows.matrix(lesson, floats), training);
        codes->append(rows, size(), threads);
        kept_.push_back(std::move(codes));
        newest_ = kept_.back().get();
        codes_.store(newest_, std::memory_order_release);
        next_lesson_ = lesson_after(lesson);
    }

    [[nodiscard]] static std::size_t lesson_after(std::size_t lesson) noexcept {
        return lesson < last_lesson ? lesson * lesson_growth : std::size_t{no_slot};
    }

    /// `factor` times the limit, and no less, however floats round.
    [[nodiscard]] static std::size_t times(std::size_t limit, float factor) noexcept {
        constexpr std::size_t fewest = 10;  // the few nearest may all be among those that their codes misplace
        const auto several = static_cast<float>(std::max(limit, fewest));
        return std::max(limit, static_cast<std::size_t>(std::ceil(several * std::max(factor, 1.0F))));
    }

    /// Compares the first `found` of scratch.coarse by their vectors; returns how many answers there are.
    std::size_t rescored(const R& rows, const float* query, std::size_t found, std::size_t limit,
                         SearchScratch& scratch, Neighbor* out) const {
        TopK best(std::span(out, limit));
        scratch.counts.distances +=
            detail::rescore(rows.scorer(query, scratch.query), std::span(scratch.coarse).first(found), limit, best);
        return best.sorted().size();
    }

    /// How many of the nearest codes are compared again by their vectors, at most. A walk that keeps few candidates has
    /// no more to compare, unless it is said how many: then it keeps as many.
    [[nodiscard]] static std::size_t coarse_limit(const SearchParams& params, std::size_t limit) noexcept {
        const std::size_t wanted = times(limit, params.rescore > 0 ? params.rescore : Q::rescore);
        return Tag::reads_all || params.rescore > 0 ? wanted
                                                    : std::min(wanted, std::max<std::size_t>(limit, params.ef_search));
    }

    Slot capacity_;
    std::vector<std::unique_ptr<Codes>> kept_;  // all there were, for a search may be reading any of them
    Codes* newest_ = nullptr;                   // the last of kept_
    std::size_t next_lesson_ = 0;
    std::unique_ptr<const Codes> mapped_;
    std::atomic<const Codes*> codes_ = nullptr;  // newest_ or mapped_, for those who search
    Inner inner_;
};

}  // namespace kith::inline v0
