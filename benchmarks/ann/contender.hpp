// benchmarks/ann/contender.hpp — what a library must do to take part: take vectors, answer queries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace ann {

/// The settings every contender builds its graph with.
struct BuildParams {
    std::size_t dim = 0;
    std::size_t rows = 0;
    bool cosine = false;
    std::uint32_t max_links = 16;
    std::uint32_t ef_construction = 200;
};

class Contender {
public:
    Contender() = default;
    Contender(const Contender&) = delete;
    Contender& operator=(const Contender&) = delete;
    virtual ~Contender() = default;

    /// Adds the next `count` vectors, on the calling thread.
    virtual void add(const float* vectors, std::size_t count) = 0;

    /// The k nearest of `query`, as numbers in order of adding; returns how many.
    virtual std::size_t search(const float* query, std::size_t k, std::uint32_t ef, std::uint32_t* out) = 0;

    /// Bytes of vectors and graph, all rows added.
    virtual std::size_t bytes() const = 0;
};

std::unique_ptr<Contender> make_kith(const BuildParams& params);
std::unique_ptr<Contender> make_kith_sq8(const BuildParams& params);

/// Null when the benchmark was built without hnswlib.
std::unique_ptr<Contender> make_hnswlib(const BuildParams& params);

}  // namespace ann
