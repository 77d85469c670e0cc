// benchmarks/ann/kith.cpp — kith as it ships: kernels chosen at run time, no flags of its own.
#include "contender.hpp"

#include "kith/core/reserved_memory.hpp"
#include "kith/index.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

namespace ann {
namespace {

/// What a file written by the index and mapped again would hold, at an address as aligned as a mapping's.
class Image {
public:
    Image() = default;

    template <class Save>
    explicit Image(const Save& save) {
        save([&](const void*, std::size_t bytes) { bytes_ += bytes; });
        memory_ = kith::ReservedMemory(bytes_);
        std::byte* to = memory_.data();
        save([&](const void* data, std::size_t bytes) {
            if (bytes != 0) std::memcpy(to, data, bytes);
            to += bytes;
        });
    }

    [[nodiscard]] std::span<const std::byte> bytes() const { return {memory_.data(), bytes_}; }

private:
    std::size_t bytes_ = 0;
    kith::ReservedMemory memory_;
};

class KithSearcher final : public Searcher {
public:
    KithSearcher(const std::unique_ptr<kith::VectorIndex>& index, const kith::SearchParams& params)
        : index_(index), params_(params) {}

    std::size_t search(const float* query, std::size_t k, std::uint32_t* out) override {
        found_.resize(k);
        const std::size_t got = index_->search(query, params_for(k), scratch_, found_.data());
        for (std::size_t i = 0; i < got; ++i) out[i] = found_[i].slot;
        return got;
    }

    void search_batch(const float* queries, std::size_t count, std::size_t, std::size_t k,
                      std::uint32_t* out) override {
        const std::size_t width = std::min<std::size_t>(k, index_->rows());
        found_.resize(count * width);
        counts_.resize(count);
        kith::SearchScratch* const scratch = &scratch_;
        index_->search_many(queries, count, params_for(k), {&scratch, 1}, found_.data(), counts_.data());
        for (std::size_t i = 0; i < count; ++i) {
            for (std::size_t j = 0; j < k; ++j) {
                out[i * k + j] = j < counts_[i] ? found_[i * width + j].slot : missing;
            }
        }
    }

private:
    [[nodiscard]] kith::SearchParams params_for(std::size_t k) const {
        kith::SearchParams params = params_;
        params.limit = k;
        // A scan has no beam: it keeps what it compares again.
        if (params.ef_search == 0) {
            const float wanted = static_cast<float>(k) * std::max(1.0F, params.rescore);
            params.ef_search = static_cast<std::uint32_t>(std::ceil(wanted));
        }
        params.allowed = kith::BitsetView(index_->rows());
        return params;
    }

    const std::unique_ptr<kith::VectorIndex>& index_;
    const kith::SearchParams& params_;
    kith::SearchScratch scratch_;
    std::vector<kith::Neighbor> found_;
    std::vector<std::size_t> counts_;
};

using MapAgain = std::unique_ptr<kith::VectorIndex> (*)(std::size_t dim, kith::Slot count, const kith::ImageBytes& rows,
                                                        const kith::ImageBytes& graph);

class Kith final : public Contender {
public:
    /// `map` is null for an index that is searched as it was built.
    Kith(std::unique_ptr<kith::VectorIndex> index, MapAgain map) : map_(map), index_(std::move(index)) {}

    void add(const float* vectors, std::size_t count, unsigned threads) override {
        for (std::size_t i = 0; i < count; ++i) index_->append(vectors + i * index_->dim());
        index_->index_up_to(index_->rows(), threads);
    }

    void seal() override {
        if (map_ == nullptr) return;
        rows_ = Image([&](const kith::ByteSink& sink) { index_->save_rows(sink); });
        graph_ = Image([&](const kith::ByteSink& sink) { index_->save_graph(sink); });
        index_ = map_(index_->dim(), index_->rows(), rows_.bytes(), graph_.bytes());
    }

    Bytes bytes() const override {
        Bytes total;
        index_->save_rows([&](const void*, std::size_t bytes) { total.vectors += static_cast<double>(bytes); });
        index_->save_graph([&](const void*, std::size_t bytes) { total.index += static_cast<double>(bytes); });
        return total;
    }

    void use(const Setting& setting) override {
        params_.ef_search = setting.ef;
        params_.nprobe = setting.nprobe;
        params_.stretch = setting.stretch;
        params_.rescore = setting.rescore;
    }

    std::unique_ptr<Searcher> searcher() override { return std::make_unique<KithSearcher>(index_, params_); }

private:
    MapAgain map_;
    Image rows_, graph_;  // outlive the index that is mapped over them
    std::unique_ptr<kith::VectorIndex> index_;
    kith::SearchParams params_;
};

/// The index that `Tag` names, searched as it was built. Parameters of an index are part of its type.
template <class Tag>
std::unique_ptr<Contender> make(const BuildParams& params) {
    const auto rows = static_cast<kith::Slot>(params.rows);
    return std::make_unique<Kith>(params.cosine ? kith::make_vector_index<kith::Cosine, Tag>(params.dim, rows)
                                                : kith::make_vector_index<kith::L2, Tag>(params.dim, rows),
                                  nullptr);
}

/// The same, saved and mapped again, as the sealed segments of a collection are.
template <class Tag>
std::unique_ptr<Contender> make_sealed(const BuildParams& params) {
    const auto rows = static_cast<kith::Slot>(params.rows);
    if (params.cosine) {
        return std::make_unique<Kith>(kith::make_vector_index<kith::Cosine, Tag>(params.dim, rows),
                                      kith::map_vector_index<kith::Cosine, Tag>);
    }
    return std::make_unique<Kith>(kith::make_vector_index<kith::L2, Tag>(params.dim, rows),
                                  kith::map_vector_index<kith::L2, Tag>);
}

/// Lists that hold `Content`: as many as the other inverted files get where that is 256, 512 or 1,024, else its own.
template <class Content>
std::unique_ptr<Contender> make_ivf(const BuildParams& params) {
    switch (params.lists) {
        case 256:
            return make<kith::Ivf<kith::IvfParams{.lists = 256}, Content>>(params);
        case 512:
            return make<kith::Ivf<kith::IvfParams{.lists = 512}, Content>>(params);
        case 1024:
            return make<kith::Ivf<kith::IvfParams{.lists = 1024}, Content>>(params);
        default:
            return make<kith::Ivf<kith::IvfParams{}, Content>>(params);
    }
}

}  // namespace

std::vector<Variant> kith_variants() {
    using Hnsw = kith::Hnsw<>;
    using HnswSq8 = kith::Hnsw<kith::HnswParams{}, kith::Sq8>;
    using HnswSq4 = kith::Hnsw<kith::HnswParams{}, kith::Sq4>;
    const Sweep stretched{.ef = {2000},
                          .stretch = {0.9F, 0.95F, 1, 1.02F, 1.05F, 1.1F, 1.15F, 1.2F, 1.25F, 1.3F, 1.4F, 1.6F}};
    return {
        {"kith", Kind::graph, stretched, make<Hnsw>},
        {"kith-sq8", Kind::graph, stretched, make<HnswSq8>},
        {"kith-sq4", Kind::graph, stretched, make<HnswSq4>},
        {"kith-sq4-ef", Kind::graph, graph_sweep, make<HnswSq4>},
        {"kith-sq4-sealed", Kind::graph, stretched, make_sealed<HnswSq4>},
        {"kith-ivf",
         Kind::trained,
         {.nprobe = {1, 2, 4, 8, 12, 16, 24, 32, 64, 128, 256}, .rescore = {10, 20, 40, 80}},
         make_ivf<kith::IvfPq>},
        {"kith-ivf-rabitq",
         Kind::trained,
         {.nprobe = {1, 2, 4, 8, 12, 16, 24, 32, 64, 128, 256}},
         make_ivf<kith::IvfRaBitQ>},
        {"kith-flat", Kind::scan, {}, make<kith::Flat>},
        {"kith-flat-sq8", Kind::scan, {.rescore = {1, 2, 4}}, make<kith::Coded<kith::Flat, kith::Sq8>>},
    };
}

}  // namespace ann
