// benchmarks/ann/faiss.cpp — FAISS by the descriptions its index factory reads, one contender a description.
//
// A library compiled elsewhere, with the instructions its packager chose; the report says which. FAISS and the BLAS
// below it are told how many threads to use, so that a figure for one thread is one.
#include "contender.hpp"

#include <dlfcn.h>

#include <faiss/Index.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexRefine.h>
#include <faiss/impl/io.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <faiss/utils/utils.h>
#include <omp.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace ann {
namespace {

/// A function of OpenBLAS; null where another BLAS is linked.
template <class Function>
Function* of_openblas(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

/// For this thread's parallel regions, and for OpenBLAS.
void use_threads(unsigned count) {
    omp_set_num_threads(static_cast<int>(count));
    static auto* const of_blas = of_openblas<void(int)>("openblas_set_num_threads");
    if (of_blas != nullptr) of_blas(static_cast<int>(count));
}

/// Takes what FAISS would write to a file, and keeps its length.
struct CountBytes final : faiss::IOWriter {
    std::size_t operator()(const void*, std::size_t size, std::size_t items) override {
        bytes += size * items;
        return items;
    }

    std::size_t bytes = 0;
};

class FaissSearcher final : public Searcher {
public:
    explicit FaissSearcher(const faiss::Index& index) : index_(index) { use_threads(1); }

    std::size_t search(const float* query, std::size_t k, std::uint32_t* out) override {
        find(query, 1, k);
        const auto end = std::find(labels_.begin(), labels_.end(), -1);
        return static_cast<std::size_t>(std::copy(labels_.begin(), end, out) - out);
    }

    void search_batch(const float* queries, std::size_t count, std::size_t, std::size_t k,
                      std::uint32_t* out) override {
        find(queries, count, k);
        std::transform(labels_.begin(), labels_.end(), out,
                       [](auto label) { return static_cast<std::uint32_t>(label); });
    }

private:
    void find(const float* queries, std::size_t count, std::size_t k) {
        distances_.resize(count * k);
        labels_.resize(count * k);
        index_.search(static_cast<faiss::Index::idx_t>(count), queries, static_cast<faiss::Index::idx_t>(k),
                      distances_.data(), labels_.data());
    }

    const faiss::Index& index_;
    std::vector<float> distances_;
    std::vector<faiss::Index::idx_t> labels_;
};

class Faiss final : public Contender {
public:
    Faiss(const BuildParams& params, const std::string& description, bool keeps_vectors)
        : vector_bytes_(keeps_vectors ? static_cast<double>(params.rows * params.dim * sizeof(float)) : 0),
          index_(faiss::index_factory(static_cast<int>(params.dim), description.c_str(),
                                      params.cosine ? faiss::METRIC_INNER_PRODUCT : faiss::METRIC_L2)),
          refine_(dynamic_cast<faiss::IndexRefine*>(index_.get())) {
        faiss::Index* const base = refine_ != nullptr ? refine_->base_index : index_.get();
        graph_ = dynamic_cast<faiss::IndexHNSW*>(base);
        lists_ = dynamic_cast<faiss::IndexIVF*>(base);
        // How many rows there are is not its to warn of.
        if (lists_ != nullptr) lists_->cp.min_points_per_centroid = 1;
        if (auto* const codes = dynamic_cast<faiss::IndexIVFPQFastScan*>(base))
            codes->pq.cp.min_points_per_centroid = 1;
        if (graph_ != nullptr) graph_->hnsw.efConstruction = static_cast<int>(params.ef_construction);
    }

    void add(const float* vectors, std::size_t count, unsigned threads) override {
        use_threads(threads);
        const auto rows = static_cast<faiss::Index::idx_t>(count);
        if (!index_->is_trained) index_->train(rows, vectors);
        index_->add(rows, vectors);
        use_threads(1);
    }

    Bytes bytes() const override {
        CountBytes file;
        faiss::write_index(index_.get(), &file);
        return {.index = static_cast<double>(file.bytes) - vector_bytes_, .vectors = vector_bytes_};
    }

    void use(const Setting& setting) override {
        if (graph_ != nullptr) graph_->hnsw.efSearch = static_cast<int>(setting.ef);
        if (lists_ != nullptr) lists_->nprobe = setting.nprobe;
        if (refine_ != nullptr) refine_->k_factor = setting.rescore;
    }

    std::unique_ptr<Searcher> searcher() override { return std::make_unique<FaissSearcher>(*index_); }

private:
    double vector_bytes_;
    std::unique_ptr<faiss::Index> index_;
    faiss::IndexRefine* refine_;  // the whole, where it compares again by full vectors
    faiss::IndexHNSW* graph_ = nullptr;
    faiss::IndexIVF* lists_ = nullptr;
};

enum class Keeps { vectors, codes };

/// The factory's description with {links}, {lists} and {dim/N} filled in.
std::string fill_in(std::string description, const BuildParams& params) {
    const auto replace = [&](std::string_view word, std::size_t value) {
        const std::size_t at = description.find(word);
        if (at != std::string::npos) description.replace(at, word.size(), std::to_string(value));
    };
    replace("{links}", params.max_links);
    replace("{lists}", params.lists);
    replace("{dim/2}", params.dim / 2);
    replace("{dim/4}", params.dim / 4);
    return description;
}

auto make(const char* description, Keeps keeps) {
    return [=](const BuildParams& params) {
        return std::make_unique<Faiss>(params, fill_in(description, params), keeps == Keeps::vectors);
    };
}

}  // namespace

std::vector<Variant> faiss_variants() {
    const std::vector<std::uint32_t> nprobe = {1, 2, 4, 8, 16, 24, 32, 64, 128, 256};
    const std::vector<float> rescore = {4, 10, 20, 40};
    return {
        {"faiss-hnsw", Kind::graph, graph_sweep, make("HNSW{links},Flat", Keeps::vectors)},
        {"faiss-hnsw-sq8", Kind::trained, graph_sweep, make("HNSW{links},SQ8", Keeps::codes)},
        {"faiss-ivf", Kind::trained, {.nprobe = nprobe}, make("IVF{lists},Flat", Keeps::vectors)},
        {"faiss-ivfpq2",
         Kind::trained,
         {.nprobe = nprobe, .rescore = rescore},
         make("IVF{lists},PQ{dim/2}x4fs,RFlat", Keeps::vectors)},
        {"faiss-ivfpq4",
         Kind::trained,
         {.nprobe = nprobe, .rescore = rescore},
         make("IVF{lists},PQ{dim/4}x4fs,RFlat", Keeps::vectors)},
        {"faiss-flat", Kind::scan, {}, make("Flat", Keeps::vectors)},
    };
}

std::string faiss_build() {
    const std::string options = faiss::get_compile_options();
    auto* const kernels = of_openblas<char*()>("openblas_get_corename");
    const bool generic = options.find("AVX") == std::string::npos;
    return "FAISS " + std::to_string(FAISS_VERSION_MAJOR) + "." + std::to_string(FAISS_VERSION_MINOR) + "." +
           std::to_string(FAISS_VERSION_PATCH) + ": as packaged, compiled for \"" + options + "\"" +
           (generic ? ", so without AVX, slower than a build for this machine" : "") + "; over " +
           (kernels != nullptr ? "OpenBLAS for " + std::string(kernels()) : "a BLAS that is not OpenBLAS");
}

}  // namespace ann
