// benchmarks/ann/dataset.hpp — vectors, queries and true neighbours from files.
//
// Reads .fvecs and .ivecs, and the compact formats of the sets the README names: 8-bit and 16-bit integers behind zstd
// or gzip, which are unpacked by those programs so that the benchmark links neither.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ann {

/// Vectors of `dim` elements, row after row.
struct Matrix {
    std::size_t dim = 0;
    std::vector<float> values;

    [[nodiscard]] std::size_t rows() const { return dim == 0 ? 0 : values.size() / dim; }
    [[nodiscard]] const float* row(std::size_t at) const { return values.data() + at * dim; }
};

struct Dataset {
    std::string name;
    bool cosine = false;  // the vectors have length 1 then; else L2
    Matrix base;
    Matrix queries;
    std::size_t known = 0;     // neighbours known of each query
    std::vector<float> truth;  // for each query, the true distances of its nearest, rising; `known` a row

    /// How far the k-th nearest of a query is. Requires: k is between 1 and `known`.
    [[nodiscard]] float reach(std::size_t query, std::size_t k) const { return truth[query * known + k - 1]; }
};

/// The true distance between two vectors of the set, summed in double: squared L2, or 1 - inner product.
double true_distance(const Dataset& set, const float* a, const float* b);

/// Loads set `name` (words, which the examples carry; fashion, text, glove, sift; or any whose files are
/// name.base.fvecs, name.query.fvecs and maybe name.gt.ivecs) with at most `rows` base vectors and `queries` queries,
/// and finds the distances of the k nearest. Throws: std::runtime_error naming the file that is missing or
/// malformed.
Dataset load(const std::filesystem::path& folder, const std::string& name, std::size_t rows, std::size_t queries,
             std::size_t k);

}  // namespace ann
