// benchmarks/ann/hnswlib.cpp — the peer, in a source of its own so that it can be compiled with the flags it does best
// with.
#include "contender.hpp"

#if defined(__has_include)
#if __has_include(<hnswlib/hnswlib.h>)
#define ANN_HAS_HNSWLIB 1
#endif
#endif

#ifdef ANN_HAS_HNSWLIB

#include <hnswlib/hnswlib.h>

namespace ann {
namespace {

class Hnswlib final : public Contender {
public:
    explicit Hnswlib(const BuildParams& params)
        : dim_(params.dim),
          space_(params.cosine ? std::unique_ptr<hnswlib::SpaceInterface<float>>(new hnswlib::InnerProductSpace(dim_))
                               : std::unique_ptr<hnswlib::SpaceInterface<float>>(new hnswlib::L2Space(dim_))),
          index_(space_.get(), params.rows, params.max_links, params.ef_construction) {}

    void add(const float* vectors, std::size_t count) override {
        for (std::size_t i = 0; i < count; ++i) index_.addPoint(vectors + i * dim_, added_++);
    }

    std::size_t search(const float* query, std::size_t k, std::uint32_t ef, std::uint32_t* out) override {
        index_.setEf(ef);
        auto nearest = index_.searchKnn(query, k);  // farthest first
        const std::size_t got = nearest.size();
        for (std::size_t i = got; i-- > 0; nearest.pop()) out[i] = static_cast<std::uint32_t>(nearest.top().second);
        return got;
    }

    std::size_t bytes() const override {
        std::size_t total = added_ * index_.size_data_per_element_;
        for (std::size_t i = 0; i < added_; ++i) {
            total += static_cast<std::size_t>(index_.element_levels_[i]) * index_.size_links_per_element_;
        }
        return total;
    }

private:
    std::size_t dim_;
    std::size_t added_ = 0;
    std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
    hnswlib::HierarchicalNSW<float> index_;
};

}  // namespace

std::unique_ptr<Contender> make_hnswlib(const BuildParams& params) {
    return std::make_unique<Hnswlib>(params);
}

}  // namespace ann

#else

namespace ann {

std::unique_ptr<Contender> make_hnswlib(const BuildParams&) {
    return nullptr;
}

}  // namespace ann

#endif
