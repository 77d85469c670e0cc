// benchmarks/quantizers/main.cpp — how much recall does each quantizer keep?
//
// Every code of a set is compared with every query, so that no index blurs the answer, and the best few are compared
// again by their full vectors. Prints a table in Markdown, the one docs/quantizers.md holds.
#include "../ann/dataset.hpp"

#include "kith/core.hpp"
#include "kith/distance.hpp"
#include "kith/quantize.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <limits>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::size_t k = 10;
constexpr std::array<std::size_t, 4> factors = {1, 2, 4, 10};

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Rows from all over the set: those that stand side by side may be alike.
kith::MatrixView sample_of(const ann::Dataset& set) {
    constexpr std::size_t most = 65536;
    const std::size_t step = std::max<std::size_t>((set.base.rows() + most - 1) / most, 1);
    return {set.base.values.data(), set.base.rows() / step, set.base.dim, step * set.base.dim};
}

/// The codes of a set, and how fast they came to be.
template <class Codec>
struct Codes {
    explicit Codes(const ann::Dataset& set)
        : codec(Codec::train(sample_of(set), kith::Training{})),
          memory(set.base.rows() * codec.code_bytes() + 64) {  // kernels may read as far past the last
        kith::ScratchMemory scratch;
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t row = 0; row < set.base.rows(); ++row) {
            codec.encode(set.base.row(row), memory.data() + row * codec.code_bytes(), scratch);
        }
        encoded_a_second = static_cast<double>(set.base.rows()) / seconds_since(start);
    }

    Codec codec;
    std::vector<std::byte> memory;
    double encoded_a_second = 0;
};

/// The slots of the smallest distances, nearest first.
template <class Scorer>
std::vector<kith::Neighbor> nearest(const Scorer& scorer, std::size_t rows, std::size_t count) {
    std::vector<kith::Neighbor> found(count);
    kith::TopK best(found);
    std::array<float, 64> distances;
    for (std::size_t first = 0; first < rows; first += distances.size()) {
        const std::size_t now = std::min(distances.size(), rows - first);
        scorer.score_block(static_cast<kith::Slot>(first), now, distances.data());
        for (std::size_t i = 0; i < now; ++i) {
            if (!(distances[i] > best.worst_distance())) best.offer({distances[i], static_cast<kith::Slot>(first + i)});
        }
    }
    found.resize(best.sorted().size());
    return found;
}

template <class Q, class M>
void measure(const ann::Dataset& set) {
    const Codes<typename Q::template Codec<M>> codes(set);
    std::array<std::size_t, factors.size()> hits{};
    kith::ScratchMemory scratch;
    std::vector<double> scanning;
    for (std::size_t query = 0; query < set.queries.rows(); ++query) {
        const float* const vector = set.queries.row(query);
        const auto start = std::chrono::steady_clock::now();
        const auto rows = codes.codec.rows(codes.memory.data());
        const auto found = nearest(rows.scorer(vector, scratch), set.base.rows(), k * factors.back());
        scanning.push_back(seconds_since(start));
        std::vector<bool> near;
        const double reach = static_cast<double>(set.reach(query, k)) * (1 + 1e-5) + 1e-9;
        for (const kith::Neighbor& neighbor : found) {
            near.push_back(ann::true_distance(set, vector, set.base.row(neighbor.slot)) <= reach);
        }
        for (std::size_t i = 0; i < factors.size(); ++i) {
            const auto end = near.begin() + static_cast<std::ptrdiff_t>(std::min(near.size(), k * factors[i]));
            hits[i] += std::min<std::size_t>(k, static_cast<std::size_t>(std::count(near.begin(), end, true)));
        }
    }
    const auto median = scanning.begin() + static_cast<std::ptrdiff_t>(scanning.size() / 2);
    std::nth_element(scanning.begin(), median, scanning.end());
    const double wanted = static_cast<double>(set.queries.rows() * k);
    std::printf("| %s | %s | %zu |", set.name.c_str(), std::string(Q::name).c_str(), codes.codec.code_bytes());
    for (const std::size_t hit : hits) std::printf(" %.3f |", static_cast<double>(hit) / wanted);
    std::printf(" %.0f | %.0f |\n", codes.encoded_a_second / 1000,
                static_cast<double>(set.base.rows()) / *median / 1e6);
    std::fflush(stdout);
}

template <class M>
void measure_all(const ann::Dataset& set) {
    measure<kith::Fp16, M>(set);
    measure<kith::Bf16, M>(set);
    measure<kith::Sq8, M>(set);
    measure<kith::Sq4, M>(set);
    measure<kith::Rotated<kith::Sq4>, M>(set);
    measure<kith::SqUniform<8>, M>(set);
    measure<kith::SqUniform<4>, M>(set);
    measure<kith::Rotated<kith::SqUniform<4>>, M>(set);
    measure<kith::Pq<kith::PqParams{.bits = 8}>, M>(set);
    measure<kith::Pq<kith::PqParams{.bits = 4}>, M>(set);
    measure<kith::Rotated<kith::Pq<kith::PqParams{.bits = 4}>>, M>(set);
    measure<kith::Opq<kith::PqParams{.bits = 8}>, M>(set);
    measure<kith::Opq<kith::PqParams{.bits = 4}>, M>(set);
    measure<kith::RaBitQ<8>, M>(set);
    measure<kith::RaBitQ<7>, M>(set);
    measure<kith::RaBitQ<6>, M>(set);
    measure<kith::RaBitQ<5>, M>(set);
    measure<kith::RaBitQ<4>, M>(set);
    measure<kith::RaBitQ<3>, M>(set);
    measure<kith::RaBitQ<2>, M>(set);
    measure<kith::RaBitQ<1>, M>(set);
}

constexpr const char* usage = "quantizers --data DIR [--sets fashion,text] [--rows N] [--queries 200]\n";

struct Settings {
    std::filesystem::path data;
    std::string sets = "fashion,text";
    std::size_t rows = std::numeric_limits<std::size_t>::max();
    std::size_t queries = 200;
};

Settings parse(int argc, char** argv) {
    Settings settings;
    for (int i = 1; i < argc; i += 2) {
        const std::string option = argv[i];
        if (i + 1 == argc) throw std::invalid_argument("what is the value of " + option + "?");
        const std::string value = argv[i + 1];
        if (option == "--data") {
            settings.data = value;
        } else if (option == "--sets") {
            settings.sets = value;
        } else if (option == "--rows") {
            settings.rows = std::stoull(value);
        } else if (option == "--queries") {
            settings.queries = std::stoull(value);
        } else {
            throw std::invalid_argument("no option " + option);
        }
    }
    if (settings.data.empty()) throw std::invalid_argument("--data DIR is missing");
    return settings;
}

void run(const Settings& settings) {
    std::puts(
        "| set | quantizer | bytes a vector | recall@10 of the codes | ×2 compared again | ×4 | ×10 | encoded, "
        "thousands a second | scanned, millions a second |");
    std::puts("|---|---|---|---|---|---|---|---|---|");
    std::istringstream names(settings.sets);
    for (std::string name; std::getline(names, name, ',');) {
        const ann::Dataset set = ann::load(settings.data, name, settings.rows, settings.queries, k);
        if (set.cosine) {
            measure_all<kith::Cosine>(set);
        } else {
            measure_all<kith::L2>(set);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(parse(argc, argv));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "quantizers: %s\n%s", error.what(), usage);
        return 1;
    }
    return 0;
}
