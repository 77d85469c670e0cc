// benchmarks/ann/contender.hpp — what a library must do to take part: take vectors, answer queries.
//
// A contender is one way of building an index; a Variant is its line in a table, with the settings worth trying when it
// is searched. To add a variant of kith, add a line to the table at the end of kith.cpp.
//
// Thread safety: a Contender belongs to one thread, but each searching thread may hold a Searcher of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ann {

/// What every contender is told before it is given vectors.
struct BuildParams {
    std::size_t dim = 0;
    std::size_t rows = 0;   // as many vectors will come
    bool cosine = false;    // the vectors have length 1 then; else L2
    std::size_t lists = 0;  // of an inverted file, for contenders that let one choose
    std::uint32_t max_links = 16;
    std::uint32_t ef_construction = 200;
};

/// How a search is asked to trade speed for recall. What a contender has no use for is 0.
struct Setting {
    std::uint32_t ef = 0;      // candidates a graph search keeps
    std::uint32_t nprobe = 0;  // lists read
    float stretch = 0;         // a graph search ends so many times as far as its last neighbour; 0: by ef alone
    float rescore = 0;         // k times this many are compared again by their full vectors; 0: what the index likes
};

/// The settings a contender is measured at: every combination.
struct Sweep {
    std::vector<std::uint32_t> ef = {0};
    std::vector<std::uint32_t> nprobe = {0};
    std::vector<float> stretch = {0};
    std::vector<float> rescore = {0};
};

/// Bytes held for all rows.
struct Bytes {
    double index = 0;    // graph, lists, codes: what a search must have at hand
    double vectors = 0;  // full vectors, also where they lie inside the index's own records
};

/// Stands where a search found fewer than were wanted.
inline constexpr std::uint32_t missing = ~std::uint32_t{0};

/// One thread's way of asking, with its own scratch memory.
class Searcher {
public:
    Searcher() = default;
    Searcher(const Searcher&) = delete;
    Searcher& operator=(const Searcher&) = delete;
    virtual ~Searcher() = default;

    /// The k nearest of `query`, as numbers in order of adding; returns how many.
    virtual std::size_t search(const float* query, std::size_t k, std::uint32_t* out) = 0;

    /// The same for `count` queries of `dim` elements, row after row; `missing` where there are fewer than k.
    /// Shape: `out` has room for count * k.
    virtual void search_batch(const float* queries, std::size_t count, std::size_t dim, std::size_t k,
                              std::uint32_t* out);
};

class Contender {
public:
    Contender() = default;
    Contender(const Contender&) = delete;
    Contender& operator=(const Contender&) = delete;
    virtual ~Contender() = default;

    /// Adds the next `count` vectors with so many threads; the first call also trains what needs training, on them.
    virtual void add(const float* vectors, std::size_t count, unsigned threads) = 0;

    /// Brings the index into the form it is searched in, once all vectors are there. Counts as building.
    virtual void seal() {}

    [[nodiscard]] virtual Bytes bytes() const = 0;

    /// Applies to the searches after it.
    virtual void use(const Setting& setting) = 0;

    /// To be called on the thread that will search with it.
    [[nodiscard]] virtual std::unique_ptr<Searcher> searcher() = 0;
};

enum class Kind {
    graph,    // takes its vectors in slices, so that the contenders build in turns
    trained,  // wants all vectors at once, because it learns from them first
    scan,     // compares all; the benchmark `flat` is about these
};

struct Variant {
    std::string name;
    Kind kind = Kind::graph;
    Sweep sweep;
    std::function<std::unique_ptr<Contender>(const BuildParams&)> make;
};

/// The tables, each in the source of its library. Those of a library that was not found are not linked.
std::vector<Variant> kith_variants();
std::vector<Variant> hnswlib_variants();
std::vector<Variant> faiss_variants();

/// How a peer was compiled, in a sentence for the report.
std::string hnswlib_build();
std::string faiss_build();

/// Settings that suit every graph.
inline const Sweep graph_sweep{.ef = {10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 200, 300, 400, 600, 800}};

}  // namespace ann
