// benchmarks/filter/main.cpp — what a condition does to a search: queries a second and recall, from rare to common.
//
//   filter [DATA [SETS [DIRECTORY [ROWS [QUERIES]]]]]   a folder with sets (docs/benchmarks.md), some of text, fashion,
//                                                      glove and sift, a folder for the collections (now the present
//                                                      one), at most so many vectors (now all) and queries (now 200)
//
// A record has two numbers with an index and one without. `chance` has nothing to do with its vector. `along` is the
// rank of its vector along a direction, so a window of ranks around a query's own holds many of its neighbours
// (correlated), and one at the other end holds few (anti-correlated). Each row of the table is a share of the records
// that satisfies the condition, at default settings; the truth is the answer of the same collection when it compares
// all. Rounds with and without a condition take turns, so that the ratio is of the same moment.
#include "../ann/dataset.hpp"
#include "../store/common.hpp"

#include <kith/kith.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

namespace {

template <std::size_t Dim>
struct Item {
    std::uint32_t id = 0;
    std::int32_t chance = 0;
    std::int32_t along = 0;
    std::int32_t unindexed = 0;  // the same as chance
    std::array<float, Dim> vector{};
};

template <std::size_t Dim, class Metric>
using Items =
    kith::Schema<Item<Dim>, kith::Key<&Item<Dim>::id>, kith::Field<&Item<Dim>::chance, kith::indexed>,
                 kith::Field<&Item<Dim>::along, kith::indexed>, kith::VectorField<&Item<Dim>::vector, Metric>>;

/// For each number its place in order.
std::vector<std::int32_t> ranks(const std::vector<double>& numbers) {
    std::vector<std::size_t> order(numbers.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return numbers[a] < numbers[b]; });
    std::vector<std::int32_t> ranks(numbers.size());
    for (std::size_t at = 0; at < order.size(); ++at) ranks[order[at]] = static_cast<std::int32_t>(at);
    return ranks;
}

double along(const std::vector<double>& direction, const float* vector) {
    double sum = 0;
    for (std::size_t at = 0; at < direction.size(); ++at) sum += direction[at] * static_cast<double>(vector[at]);
    return sum;
}

struct Outcome {
    double seconds = 0;  // a query
    double recall = 0;
};

template <std::size_t Dim, class Metric>
class Question {
    using Record = Item<Dim>;
    using Schema = Items<Dim, Metric>;
    using Condition = kith::Condition<Record>;

public:
    /// Of the vectors whose chance is not below `from`.
    Question(const ann::Dataset& set, const store::Folder& folder, std::int32_t from = 0)
        : set_(set), collection_(folder / (set.name + std::to_string(from)), one_segment()) {
        kith::SplitMix64 random(7);
        std::vector<double> chances;
        std::vector<double> places;
        for (std::size_t at = 0; at < Dim; ++at) direction_.push_back(random.uniform() - 0.5);
        for (std::size_t at = 0; at < set.base.rows(); ++at) {
            chances.push_back(random.uniform());
            places.push_back(along(direction_, set.base.row(at)));
        }
        chance_ = ranks(chances);
        place_ = ranks(places);
        fill(collection_, from);
        std::sort(places.begin(), places.end());
        for (std::size_t query = 0; query < set.queries.rows(); ++query) {
            const double own = along(direction_, set.queries.row(query));
            rank_.push_back(std::lower_bound(places.begin(), places.end(), own) - places.begin());
        }
    }

    void run() {
        std::printf("\n%s: %zu vectors of %zu dimensions, %zu queries, %zu segments\n\n", set_.name.c_str(),
                    set_.base.rows(), Dim, set_.queries.rows(), collection_.stats().segments.size());
        std::printf(
            "| matches | condition | k | µs a query | of unfiltered | recall | compare all "
            "|\n|---|---|---|---|---|---|---|\n");
        for (const std::size_t k : {std::size_t{10}, std::size_t{100}}) {
            const Outcome free = measure({}, k, false);
            std::printf("| all | none | %zu | %.0f | 1.00 | %.3f | |\n", k, 1e6 * free.seconds, free.recall);
            for (const double share : {0.0001, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999}) {
                row("chance", share, k, [&](std::size_t) { return below<&Record::chance>(share); });
                row("no index", share, k, [&](std::size_t) { return below<&Record::unindexed>(share); });
                row("correlated", share, k, [&](std::size_t query) { return window(rank_[query], share); });
                row("anti-correlated", share, k,
                    [&](std::size_t query) { return window(rank_[query] * 2 < rows() ? rows() : 0, share); });
            }
        }
    }

    /// Erases a fifth, which stays in its segment as dead slots, and compares with a collection that never had it.
    void erase_a_fifth(const store::Folder& folder) {
        const auto from = static_cast<std::int32_t>(rows() / 5);
        Question never(set_, folder, from);
        collection_.erase_where(kith::field<&Record::chance> < from);
        std::printf(
            "\n| erased 20 %% | k | µs a query | of a collection that never held them | recall | its recall "
            "|\n|---|---|---|---|---|---|\n");
        for (const std::size_t k : {std::size_t{10}, std::size_t{100}}) {
            std::vector<double> with;
            std::vector<double> without;
            for (int round = 0; round < 5; ++round) {
                without.push_back(never.pass({}, k, false));
                with.push_back(pass({}, k, false));
            }
            std::printf("| %s | %zu | %.0f | %.2f | %.3f | %.3f |\n", set_.name.c_str(), k, 1e6 * store::median(with),
                        store::median(without) / store::median(with), measure({}, k, false).recall,
                        never.measure({}, k, false).recall);
        }
    }

private:
    static kith::Options one_segment() {
        kith::Options options;
        options.maintenance = kith::Maintenance::on_call;
        options.segment_capacity = 2'000'000;
        options.segment_bytes = std::uint64_t{1} << 40;
        options.log_bytes = std::uint64_t{1} << 40;
        options.durability = kith::Durability::on_checkpoint();
        return options;
    }

    [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(set_.base.rows()); }

    template <auto Member>
    [[nodiscard]] Condition below(double share) const {
        return kith::field<Member> < static_cast<std::int32_t>(std::max(1.0, share * static_cast<double>(rows())));
    }

    /// A window of ranks around one, moved so that it lies within.
    [[nodiscard]] Condition window(std::int64_t rank, double share) const {
        const auto width = static_cast<std::int64_t>(std::max(1.0, share * static_cast<double>(rows())));
        const std::int64_t first = std::clamp<std::int64_t>(rank - width / 2, 0, rows() - width);
        return kith::field<&Record::along> >= static_cast<std::int32_t>(first) &&
               kith::field<&Record::along> < static_cast<std::int32_t>(first + width);
    }

    /// Inserts the records whose chance is not below `from`.
    void fill(kith::Collection<Schema>& collection, std::int32_t from) const {
        std::vector<Record> batch;
        for (std::size_t at = 0; at < set_.base.rows(); ++at) {
            if (chance_[at] >= from) {
                Record& record = batch.emplace_back();
                record.id = static_cast<std::uint32_t>(at);
                record.chance = record.unindexed = chance_[at];
                record.along = place_[at];
                std::copy_n(set_.base.row(at), Dim, record.vector.begin());
            }
            if (batch.size() < 1000 && at + 1 < set_.base.rows()) continue;
            collection.insert(batch);
            batch.clear();
        }
        collection.checkpoint();
    }

    using ConditionOf = std::function<Condition(std::size_t query)>;

    [[nodiscard]] std::vector<kith::Hit<Record>> ask(std::size_t query, std::size_t k, const ConditionOf& of,
                                                     bool exact) const {
        auto asked =
            collection_.template nearest<&Record::vector>(std::span<const float>(set_.queries.row(query), Dim));
        asked.limit(k);
        if (of) asked.where(of(query));
        if (exact) asked.exact();
        return asked.run();
    }

    /// Every query once.
    [[nodiscard]] Outcome measure(const ConditionOf& of, std::size_t k, bool exact) const {
        std::vector<double> taken;
        double share = 0;
        for (std::size_t query = 0; query < set_.queries.rows(); ++query) {
            std::vector<kith::Hit<Record>> found;
            taken.push_back(store::seconds([&] { found = ask(query, k, of, exact); }));
            const auto truth = ask(query, k, of, true);
            if (found.size() != truth.size()) std::abort();  // always k where k exist
            std::size_t right = 0;
            for (const auto& hit : found) right += hit.distance <= truth.back().distance * 1.000001F + 1e-6F ? 1U : 0U;
            share += truth.empty() ? 1 : static_cast<double>(right) / static_cast<double>(truth.size());
        }
        return {std::accumulate(taken.begin(), taken.end(), 0.0) / static_cast<double>(taken.size()),
                share / static_cast<double>(set_.queries.rows())};
    }

    void row(const char* name, double share, std::size_t k, const ConditionOf& of) const {
        std::vector<double> free;
        std::vector<double> filtered;
        std::vector<double> all;
        Outcome one;
        for (int round = 0; round < 3; ++round) {
            free.push_back(pass({}, k, false));
            filtered.push_back(pass(of, k, false));
            if (round == 0) all.push_back(pass(of, k, true));
        }
        one = measure(of, k, false);
        std::printf("| %g %% | %s | %zu | %.0f | %.2f | %.3f | %.0f |\n", 100 * share, name, k,
                    1e6 * store::median(filtered), store::median(free) / store::median(filtered), one.recall,
                    1e6 * store::median(all));
        std::fflush(stdout);
    }

    /// Seconds a query, over all.
    [[nodiscard]] double pass(const ConditionOf& of, std::size_t k, bool exact) const {
        std::size_t found = 0;
        const double seconds = store::seconds([&] {
            for (std::size_t query = 0; query < set_.queries.rows(); ++query) found += ask(query, k, of, exact).size();
        });
        if (found == 0) std::abort();
        return seconds / static_cast<double>(set_.queries.rows());
    }

    const ann::Dataset& set_;
    kith::Collection<Schema> collection_;
    std::vector<std::int32_t> chance_;
    std::vector<std::int32_t> place_;
    std::vector<double> direction_;
    std::vector<std::int64_t> rank_;  // of each query along the direction
};

template <std::size_t Dim, class Metric>
void run(const ann::Dataset& set, const store::Folder& folder) {
    Question<Dim, Metric> question(set, folder);
    question.run();
    question.erase_a_fifth(folder);
}

void run(const std::filesystem::path& data, const std::string& name, const store::Folder& folder, std::size_t rows,
         std::size_t queries) {
    const ann::Dataset set = ann::load(data, name, rows, queries, 100);
    switch (set.base.dim) {
        case 384:
            return run<384, kith::Cosine>(set, folder);
        case 784:
            return run<784, kith::L2>(set, folder);
        case 100:
            return run<100, kith::Cosine>(set, folder);
        case 128:
            return run<128, kith::L2>(set, folder);
        default:
            std::fprintf(stderr, "%s: no record of %zu dimensions is compiled in\n", name.c_str(), set.base.dim);
            std::exit(EXIT_FAILURE);
    }
}

}  // namespace

int main(int argc, char** argv) {
    return store::run_main("filter", [&] {
        const std::filesystem::path data = argc > 1 ? argv[1] : "examples/data";
        std::istringstream sets(argc > 2 ? argv[2] : "text");
        const store::Folder folder(argc > 3 ? argv[3] : ".");
        const std::size_t rows = argc > 4 ? std::stoul(argv[4]) : 10'000'000;
        const std::size_t queries = argc > 5 ? std::stoul(argv[5]) : 200;
        for (std::string name; std::getline(sets, name, ',');) run(data, name, folder, rows, queries);
    });
}
