// kith/index/ivf.hpp — an inverted file: vectors in lists around centroids, of which a search reads the nearest few.
//
// It is trained in seconds where a graph takes minutes, and reads memory in order. Lists hold codes that a scan adds up
// in registers (or nothing but slots); the best are compared again by their own vectors, which are Rows that every call
// is given. The back room index/ivf/ holds its parts: model, blocks, fill, search, format, and for each kind of code
// what it is and how it is scanned.
//
// Until there are enough rows to train it, a search compares all of them. Rows that come later join the lists as they
// are; drift() says how much worse they fit, and retrain() begins anew.
//
// InnerProduct: lists are those of L2, read in the order of ⟨q, c⟩. That is right for vectors of similar length; where
// lengths differ widely, more lists must be read for the same recall.
//
// Thread safety: insert and retrain are called by one thread at a time; search by any number, beside it, without
// waiting.
// Source: Sivic & Zisserman, ICCV 2003; Jégou, Douze & Schmid, IEEE TPAMI 33(1), 2011.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/error.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/residency.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
#include "kith/index/flat.hpp"
#include "kith/index/index_space.hpp"
#include "kith/index/ivf/blocks.hpp"
#include "kith/index/ivf/coarse.hpp"
#include "kith/index/ivf/fill.hpp"
#include "kith/index/ivf/format.hpp"
#include "kith/index/ivf/model.hpp"
#include "kith/index/ivf/no_codes.hpp"
#include "kith/index/ivf/params.hpp"
#include "kith/index/ivf/pq_codes.hpp"
#include "kith/index/ivf/pq_scan.hpp"
#include "kith/index/ivf/rabitq_codes.hpp"
#include "kith/index/ivf/rabitq_scan.hpp"
#include "kith/index/ivf/search.hpp"
#include "kith/index/ivf/space.hpp"
#include "kith/index/search_params.hpp"
#include "kith/index/search_scratch.hpp"
#include "kith/quantize/training.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0 {

/// Lists hold nothing but slots: every vector of a list that is read is compared by itself.
struct IvfRaw {
    static constexpr std::string_view name = "raw";       // stored on disk: never rename
    static constexpr std::string_view index = "ivf_raw";  // stored on disk: never rename
    using Codes = detail::IvfNoCodes;
};

/// Lists hold 4 bits for each piece of a vector; the best are compared by their vectors, `rescore` times as many as are
/// wanted.
struct IvfPq {
    static constexpr std::string_view name = "pq4";       // stored on disk: never rename
    static constexpr std::string_view index = "ivf_pq4";  // stored on disk: never rename
    static constexpr float rescore = detail::IvfPqCodes::rescore;
    using Codes = detail::IvfPqCodes;
};

/// Lists hold one bit for each element of a rotated vector, and a lower bound of its distance comes with every
/// estimate: a vector is compared by itself when its bound is not above the worst of the nearest so far. So no
/// codebooks are trained, what is left out was ruled out but for few in a hundred near the edge, and there is no factor
/// to choose: SearchParams::rescore is not looked at. On vectors of 384 and 784 elements it answers 1.3 to 1.4 times as
/// many queries as IvfPq at the same recall; on those of 100, whose bounds are wide, two thirds as many.
struct IvfRaBitQ {
    static constexpr std::string_view name = "rabitq1";       // stored on disk: never rename
    static constexpr std::string_view index = "ivf_rabitq1";  // stored on disk: never rename
    using Codes = detail::IvfRaBitQCodes;
};

/// Content says what lists hold besides slots: IvfPq, IvfRaBitQ or IvfRaw.
template <class R, class Content = IvfPq>
class IvfIndex {
    using Codes = typename Content::Codes;

public:
    /// An index without rows.
    IvfIndex(const IvfParams& params, Slot capacity) : params_(params), capacity_(capacity) {}

    /// The index of `count` rows that save() wrote, over bytes that outlive it; it serves searches only.
    /// Requires: image.data() is aligned to 64 bytes.
    /// Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static IvfIndex map(const ImageBytes& image, Slot count) {
        detail::MappedIvf<Codes> mapped = detail::map_ivf<Codes>(image, count, metric);
        IvfIndex index(mapped.header.params, count);
        if (mapped.trained) {
            auto made = std::make_unique<Trained>(
                Trained{std::move(mapped.trained->first), std::move(mapped.trained->second), nullptr});
            made->added_error = mapped.header.added_error;
            made->added = mapped.header.added;
            if (!mapped.graph.empty()) made->graph = std::make_unique<const Graph>(made->model.centroids, mapped.graph);
            index.take(std::move(made));
        }
        index.size_ = count;
        return index;
    }

    IvfIndex(IvfIndex&& other) noexcept
        : params_(other.params_),
          capacity_(other.capacity_),
          retired_(std::move(other.retired_)),
          trained_(std::move(other.trained_)),
          lists_(other.lists_.exchange(nullptr)),
          size_(other.size_.exchange(0)) {}

    /// Searches are told of the slots below this.
    [[nodiscard]] Slot size() const noexcept { return size_.load(std::memory_order_acquire); }
    [[nodiscard]] const IvfParams& params() const noexcept { return params_; }

    /// Whether there are lists to read. Unlike lists(), drift() and outgrown() it may be asked beside an insert.
    [[nodiscard]] bool trained() const noexcept { return lists_.load(std::memory_order_acquire) != nullptr; }

    /// Lists that a search begins with; 0 while it is not trained. May be asked beside an insert.
    [[nodiscard]] std::size_t lists_read(const SearchParams& params) const noexcept {
        const Trained* const trained = lists_.load(std::memory_order_acquire);
        return trained == nullptr ? 0 : probed(trained->model.lists(), params);
    }

    /// Lists there are; 0 while it is not trained.
    [[nodiscard]] std::size_t lists() const noexcept { return trained_ ? trained_->model.lists() : 0; }

    /// How far rows lie from their centroids, as a multiple of how far those did that it was trained with. Above 1.2 or
    /// so, retrain() pays. 1 where nothing was added since.
    [[nodiscard]] double drift() const noexcept {
        if (!trained_ || trained_->added == 0 || !(trained_->model.trained_error > 0)) return 1;
        return trained_->added_error / static_cast<double>(trained_->added) / trained_->model.trained_error;
    }

    /// Adds the slots from size() up to `count`, and trains the lists first once there are enough rows.
    /// Requires: count is at most the capacity; those rows are readable and stay as they are.
    /// Throws: Errc::invalid_argument for parameters that do not fit the rows; nothing has changed.
    void insert(const R& rows, Slot count, unsigned threads = 1) {
        insert(rows, count, Training{.seed = params_.seed, .threads = threads, .progress = {}});
    }

    /// The same, with progress; what it throws is thrown on, and nothing has changed.
    void insert(const R& rows, Slot count, const Training& training) {
        const Slot first = size();
        if (count <= first) return;
        KITH_ASSERT(count <= capacity_);
        if (trained_) {
            double error = 0;
            const auto list_of = detail::lists_of(trained_->model, rows, first, count, training.threads, error);
            detail::fill_lists(trained_->model, trained_->blocks, rows, first, list_of, training.threads);
            trained_->added_error += error;
            trained_->added += count - first;
        } else if (count >= params_.trains_from()) {
            take(train(rows, count, training));
        }
        size_.store(count, std::memory_order_release);
    }

    /// Takes over the lists of `other`, over the same rows. False, and nothing has changed, where it has other parameters
    /// or lists of vectors of another dimension, or is damaged.
    /// Requires: this is empty, with room for them.
    bool adopt(const R& rows, const IvfIndex& other) {
        KITH_ASSERT(size() == 0 && other.size() <= capacity_);
        if (!(params_ == other.params_)) return false;
        if (other.trained_) {
            const Trained& from = *other.trained_;
            if (from.model.dim() != rows.dim()) return false;
            detail::IvfBlocks blocks(from.model.lists(), from.model.codes.record_bytes(), capacity_);
            if (!blocks.adopt(from.blocks, other.size())) return false;
            auto made = std::make_unique<Trained>(Trained{from.model, std::move(blocks), nullptr});
            made->added_error = from.added_error;
            made->added = from.added;
            if (from.graph) made->graph = std::make_unique<const Graph>(made->model.centroids, *from.graph);
            take(std::move(made));
        }
        size_.store(other.size(), std::memory_order_release);
        return true;
    }

    /// Whether retrain() would pay: there are rows for twice the lists, or they fit much worse than those it was
    /// trained with.
    [[nodiscard]] bool outgrown() const noexcept {
        constexpr double bad_fit = 1.2;
        return trained_ && (params_.lists_for(size()) >= 2 * trained_->model.lists() || drift() > bad_fit);
    }

    /// Learns lists and codes anew from all rows. Searches that run read the former lists, which stay in memory.
    /// Throws: as insert; the index is then as before.
    void retrain(const R& rows, const Training& training) {
        if (size() == 0 || size() < params_.lists_for(size())) return;
        take(train(rows, size(), training));
    }

    /// The nearest allowed slots of the lists that are read, nearest first, equal distances by slot; returns how many.
    /// Lists are read until params.limit slots were found or there are no more.
    /// Shape: `query` holds rows.dim() elements, `out` has room for min(params.limit, size()).
    /// Throws: std::bad_alloc while `scratch` still grows.
    std::size_t search(const R& rows, const float* query, const SearchParams& params, SearchScratch& scratch,
                       Neighbor* out) const {
        const Slot listed = size();
        const Slot returned = std::min(listed, params.allowed.count());
        const BitsetView allowed = params.allowed.first(returned);
        const std::size_t limit = std::min<std::size_t>(params.limit, returned);
        if (limit == 0) return 0;
        const Trained* const trained = lists_.load(std::memory_order_acquire);
        // A mapped image of another dimension cannot be asked; its rows can.
        if (trained == nullptr || trained->model.dim() != rows.dim()) {
            TopK best(std::span(out, limit));
            scratch.counts.distances += detail::scan(rows.scorer(query, scratch.query), 0, returned, allowed, best);
            return best.sorted().size();
        }
        const std::size_t lists = trained->model.lists();
        const std::size_t nprobe = probed(lists, params);
        // A graph that has to name a large part of the lists is slower than comparing all.
        const Graph* const graph = nprobe * 4 <= lists ? trained->graph.get() : nullptr;
        const detail::IvfQuestion<R> asked{rows, query, params, listed, allowed, limit, scratch};
        const std::size_t found = detail::search_lists(trained->model, trained->blocks, graph, nprobe, asked, out);
        if (graph == nullptr || found == limit) return found;
        return detail::search_lists<Codes, R>(trained->model, trained->blocks, nullptr, nprobe, asked, out);
    }

    /// Writes the image that map() reads. Requires: no insert runs.
    template <class Sink>
    void save(const Sink& sink) const {
        detail::IvfHeader header;
        header.count = size();
        header.params = params_;
        if (!trained_) {
            const std::string bytes = detail::ivf_header(header, metric, Codes::content);
            sink(bytes.data(), bytes.size());
            return;
        }
        header.added_error = trained_->added_error;
        header.added = trained_->added;
        std::string graph;
        if (trained_->graph) {
            trained_->graph->save(
                [&](const void* data, std::size_t bytes) { graph.append(static_cast<const char*>(data), bytes); });
        }
        detail::save_ivf(trained_->model, trained_->blocks, graph, header, metric, sink);
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        std::size_t bytes = trained_ ? trained_->memory_bytes() : 0;
        for (const auto& former : retired_) bytes += former->memory_bytes();
        return bytes;
    }

    /// What `count` vectors take, when they come a few at a time.
    [[nodiscard]] static IndexSpace space(const IvfParams& params, std::size_t dim, Slot count) {
        return detail::ivf_space<Codes, Graph>(params, dim, count);
    }

private:
    static constexpr std::string_view metric = detail::MetricOf<R>::type::name;

    using Graph = detail::CentroidGraph<detail::is_product_rows<R>>;

    struct Trained {
        detail::IvfModel<Codes> model;
        detail::IvfBlocks blocks;
        std::unique_ptr<const Graph> graph;  // over the centroids; null where there are few
        double added_error = 0;              // sum of squared distances of rows added since it was trained
        std::size_t added = 0;               // rows added since

        [[nodiscard]] std::size_t memory_bytes() const noexcept {
            const std::size_t floats = model.codes.mean().size() + 2 * model.codes.words().size();
            return model.centroids.memory_bytes() + floats * sizeof(float) + blocks.memory_bytes() +
                   (graph ? graph->memory_bytes() : 0);
        }
    };

    /// How many of the lists are read.
    [[nodiscard]] std::size_t probed(std::size_t lists, const SearchParams& params) const noexcept {
        const std::size_t usual = params_.nprobe != 0 ? params_.nprobe : std::max<std::size_t>(8, lists / 16);
        return std::min(params.nprobe != 0 ? params.nprobe : usual, lists);
    }

    [[nodiscard]] std::unique_ptr<Trained> train(const R& rows, Slot count, const Training& training) const {
        detail::IvfModel<Codes> model = detail::train_ivf<Codes>(rows, count, params_, training);
        detail::IvfBlocks blocks(model.lists(), model.codes.record_bytes(), capacity_);
        auto made = std::make_unique<Trained>(Trained{std::move(model), std::move(blocks), nullptr});
        if (made->model.lists() >= params_.graph_from) {
            made->graph = std::make_unique<const Graph>(made->model.centroids);
        }
        double error = 0;
        const auto list_of = detail::lists_of(made->model, rows, 0, count, training.threads, error);
        detail::fill_lists(made->model, made->blocks, rows, 0, list_of, training.threads);
        made->model.trained_error = error / count;
        return made;
    }

    void take(std::unique_ptr<Trained> made) {
        if (trained_) retired_.emplace_back();
        lists_.store(made.get(), std::memory_order_release);
        trained_.swap(made);
        if (made) retired_.back() = std::move(made);
    }

    IvfParams params_;
    Slot capacity_;
    std::vector<std::unique_ptr<const Trained>> retired_;  // for a search may be reading any of them
    std::unique_ptr<Trained> trained_;
    std::atomic<const Trained*> lists_ = nullptr;  // trained_, for those who search
    std::atomic<Slot> size_ = 0;
};

/// Reads the lists nearest to the query: trained in seconds, exact enough with codes and rescoring.
template <IvfParams P = IvfParams{}, class Content = IvfPq>
struct Ivf {
    static constexpr std::string_view name = Content::index;  // stored on disk: never rename
    static constexpr bool reads_all = false;
    static constexpr bool reads_lists = true;
    static constexpr bool rescores = requires { Content::rescore; };
    static constexpr IvfParams params = P;
    static_assert(P.lists <= IvfParams::most_lists, "kith: Ivf: lists must be at most 1048576");
    static_assert(P.subvectors <= IvfParams::most_subvectors, "kith: Ivf: subvectors must be at most 4096");

    [[nodiscard]] static constexpr bool fits(std::size_t dim) noexcept {
        return P.subvectors == 0 || dim % P.subvectors == 0;
    }

    template <class R>
    using Index = IvfIndex<R, Content>;

    /// How many lists are read.
    template <class M>
    static constexpr std::array ladder{1.0F,  2.0F,  4.0F,  8.0F,   12.0F,  16.0F,  24.0F, 32.0F,
                                       48.0F, 64.0F, 96.0F, 128.0F, 192.0F, 256.0F, 512.0F};

    template <class M>
    static void try_as_hard(float effort, SearchParams& search) noexcept {
        search.nprobe = static_cast<std::uint32_t>(effort * beyond_measured(search.limit) + 0.5F);
    }

    template <class R>
    [[nodiscard]] static IvfIndex<R, Content> make(Slot capacity) {
        return IvfIndex<R, Content>(P, capacity);
    }

    template <class R>
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) {
        return IvfIndex<R, Content>::space(P, dim, count);
    }

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    template <class R>
    [[nodiscard]] static IvfIndex<R, Content> map(const ImageBytes& image, Slot count) {
        return IvfIndex<R, Content>::map(image, count);
    }
};

}  // namespace kith::inline v0
