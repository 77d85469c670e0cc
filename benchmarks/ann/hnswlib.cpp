// benchmarks/ann/hnswlib.cpp — the peer, in a source of its own so that it can be compiled with the flags it does best
// with.
#include "contender.hpp"

#include <hnswlib/hnswlib.h>

#include <atomic>
#include <thread>

namespace ann {
namespace {

using Graph = hnswlib::HierarchicalNSW<float>;

class HnswlibSearcher final : public Searcher {
public:
    explicit HnswlibSearcher(Graph& index) : index_(index) {}

    std::size_t search(const float* query, std::size_t k, std::uint32_t* out) override {
        auto nearest = index_.searchKnn(query, k);  // farthest first
        const std::size_t got = nearest.size();
        for (std::size_t i = got; i-- > 0; nearest.pop()) out[i] = static_cast<std::uint32_t>(nearest.top().second);
        return got;
    }

private:
    Graph& index_;
};

class Hnswlib final : public Contender {
public:
    explicit Hnswlib(const BuildParams& params)
        : dim_(params.dim),
          space_(params.cosine ? std::unique_ptr<hnswlib::SpaceInterface<float>>(new hnswlib::InnerProductSpace(dim_))
                               : std::unique_ptr<hnswlib::SpaceInterface<float>>(new hnswlib::L2Space(dim_))),
          index_(space_.get(), params.rows, params.max_links, params.ef_construction) {}

    void add(const float* vectors, std::size_t count, unsigned threads) override {
        std::atomic<std::size_t> next = 0;
        const auto work = [&] {
            for (std::size_t i = next++; i < count; i = next++) index_.addPoint(vectors + i * dim_, added_ + i);
        };
        std::vector<std::thread> others;
        for (unsigned i = 1; i < threads; ++i) others.emplace_back(work);
        work();
        for (std::thread& other : others) other.join();
        added_ += count;
    }

    Bytes bytes() const override {
        Bytes total;
        total.vectors = static_cast<double>(added_ * dim_ * sizeof(float));
        total.index = static_cast<double>(added_ * index_.size_data_per_element_) - total.vectors;
        for (std::size_t i = 0; i < added_; ++i) {
            total.index +=
                static_cast<double>(index_.element_levels_[i]) * static_cast<double>(index_.size_links_per_element_);
        }
        return total;
    }

    void use(const Setting& setting) override { index_.setEf(setting.ef); }

    std::unique_ptr<Searcher> searcher() override { return std::make_unique<HnswlibSearcher>(index_); }

private:
    std::size_t dim_;
    std::size_t added_ = 0;
    std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
    Graph index_;
};

}  // namespace

std::vector<Variant> hnswlib_variants() {
    return {{"hnswlib", Kind::graph, graph_sweep,
             [](const BuildParams& params) { return std::make_unique<Hnswlib>(params); }}};
}

std::string hnswlib_build() {
    return "hnswlib: its headers as packaged, compiled here with -O3 -march=native";
}

}  // namespace ann
