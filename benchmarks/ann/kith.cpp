// benchmarks/ann/kith.cpp — kith as it ships: kernels chosen at run time, no flags of its own.
#include "contender.hpp"

#include "kith/index.hpp"

#include <stdexcept>
#include <vector>

namespace ann {
namespace {

class Kith final : public Contender {
public:
    explicit Kith(std::unique_ptr<kith::VectorIndex> index) : index_(std::move(index)) {}

    void add(const float* vectors, std::size_t count) override {
        for (std::size_t i = 0; i < count; ++i) index_->append(vectors + i * index_->dim());
        index_->index_up_to(index_->rows(), 1);
    }

    std::size_t search(const float* query, std::size_t k, std::uint32_t ef, std::uint32_t* out) override {
        found_.resize(k);
        const kith::SearchParams params{.limit = k, .ef_search = ef, .allowed = kith::BitsetView(index_->rows())};
        const std::size_t got = index_->search(query, params, scratch_, found_.data());
        for (std::size_t i = 0; i < got; ++i) out[i] = found_[i].slot;
        return got;
    }

    std::size_t bytes() const override {
        std::size_t total = 0;
        const auto count = [&](const void*, std::size_t bytes) { total += bytes; };
        index_->save_rows(count);
        index_->save_graph(count);
        return total;
    }

private:
    std::unique_ptr<kith::VectorIndex> index_;
    kith::SearchScratch scratch_;
    std::vector<kith::Neighbor> found_;
};

}  // namespace

template <class Graph>
std::unique_ptr<Contender> make(const BuildParams& params) {
    // parameters of an index are part of its type
    if (params.max_links != Graph::params.max_links || params.ef_construction != Graph::params.ef_construction) {
        throw std::runtime_error("this benchmark was compiled for other graph parameters");
    }
    const auto rows = static_cast<kith::Slot>(params.rows);
    return std::make_unique<Kith>(params.cosine ? kith::make_vector_index<kith::Cosine, Graph>(params.dim, rows)
                                                : kith::make_vector_index<kith::L2, Graph>(params.dim, rows));
}

std::unique_ptr<Contender> make_kith(const BuildParams& params) {
    return make<kith::Hnsw<>>(params);
}
std::unique_ptr<Contender> make_kith_sq8(const BuildParams& params) {
    return make<kith::Hnsw<kith::HnswParams{}, kith::Sq8>>(params);
}

}  // namespace ann
