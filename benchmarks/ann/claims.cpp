// benchmarks/ann/claims.cpp — does the benchmark count and compare as it says it does?
//
// A program of its own, without a test framework: benchmarks are built where none is.
#include "contender.hpp"
#include "curve.hpp"
#include "dataset.hpp"
#include "measure.hpp"
#include "sweep.hpp"
#include "table.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

bool all_hold = true;

void claim(const std::string& words, bool holds) {
    if (!holds) std::cerr << "does not hold: " << words << '\n';
    all_hold = all_hold && holds;
}

bool near(double a, double b) {
    constexpr double rounding = 1e-9;
    return std::abs(a - b) <= rounding * std::abs(b);
}

ann::Point point(double recall, double qps) {
    return {.setting = {}, .recall = recall, .qps = qps, .p50_us = 0};
}

void read_curves() {
    const ann::Curve curve{10, {point(0.99, 100), point(0.80, 900), point(0.90, 400), point(0.85, 300)}};
    const std::vector<ann::Point> best = ann::frontier(curve);
    claim("a frontier rises in recall and leaves out what is beaten in both",
          best.size() == 3 && best[0].recall == 0.80 && best[1].recall == 0.90 && best[2].recall == 0.99);
    claim("between two points the speed is read off a logarithmic scale", near(ann::qps_at(curve, 0.85), 600));
    claim("at a point it is that point's", near(ann::qps_at(curve, 0.99), 100));
    claim("below all points it is the fastest's", near(ann::qps_at(curve, 0.5), 900));
    claim("above all points there is none", ann::qps_at(curve, 0.995) == 0);
}

void count_answers() {
    // Rows 1 and 2 are equally far from the query, and the second nearest is one of them.
    ann::Dataset set;
    set.base = {1, {0, 1, -1, 5}};
    set.queries = {1, {0}};
    set.known = 2;
    set.truth = {0, 1};
    const auto recall = [&](const std::vector<std::uint32_t>& answers) { return ann::recall_of(set, answers, 2); };
    claim("either of two rows at the same distance counts", recall({0, 1}) == 1 && recall({0, 2}) == 1);
    claim("a row farther than the k-th does not count", recall({0, 3}) == 0.5);
    claim("a row returned twice counts once", recall({0, 0}) == 0.5);
    claim("what is missing does not count", recall({0, ann::missing}) == 0.5);
    bool refused = false;
    try {
        recall({0, 4});
    } catch (const std::runtime_error&) {
        refused = true;
    }
    claim("an answer that is no row is refused", refused);
}

void choose_settings() {
    const ann::Variant graph{"graph", ann::Kind::graph, {.ef = {10, 100}}, {}};
    const ann::Variant lists{"lists", ann::Kind::trained, {.nprobe = {1, 2}, .rescore = {4, 8}}, {}};
    ann::Plan plan;
    claim("a graph is tried at every ef", ann::settings_of(graph, plan, 10).size() == 2);
    claim("but none below k", ann::settings_of(graph, plan, 50).size() == 1);
    claim("lists are tried at every combination", ann::settings_of(lists, plan, 10).size() == 4);
    plan.ef = {20, 30, 40};
    claim("the user's ef replaces a graph's", ann::settings_of(graph, plan, 10).size() == 3);
    claim("and nothing of a contender without ef", ann::settings_of(lists, plan, 10).size() == 4);
}

void leave_out_settings() {
    const auto tried = [](std::uint32_t nprobe, float rescore, double recall, double qps) {
        return ann::Point{{.nprobe = nprobe, .rescore = rescore}, recall, qps, 0};
    };
    const std::vector<ann::Point> capped = {tried(1, 4, 0.7, 900), tried(2, 4, 0.8, 500), tried(4, 4, 0.8001, 300)};
    claim("where the last step brought nothing, more of it is not tried",
          ann::is_pointless({.nprobe = 8, .rescore = 4}, capped));
    claim("but with more compared again it is", !ann::is_pointless({.nprobe = 8, .rescore = 8}, capped));
    const std::vector<ann::Point> found = {tried(1, 4, 0.9, 900), tried(2, 4, 0.9996, 500)};
    claim("where nearly all is found, no more work is tried", ann::is_pointless({.nprobe = 2, .rescore = 8}, found));
    claim("but less is", !ann::is_pointless({.nprobe = 1, .rescore = 8}, found));
    const ann::Point slow = tried(8, 4, 0.8, 200);
    claim("a point another clearly beats is dropped", ann::is_beaten(slow, capped));
    claim("a point that finds more than the faster ones is kept", !ann::is_beaten(capped[1], capped));
}

/// Finds the same two rows for every query.
class FindsTwo final : public ann::Searcher {
public:
    std::size_t search(const float*, std::size_t, std::uint32_t* out) override {
        out[0] = 7;
        out[1] = 9;
        return 2;
    }
};

void ask_batches() {
    FindsTwo searcher;
    const std::array<float, 2> queries{};
    std::array<std::uint32_t, 6> found{};
    searcher.search_batch(queries.data(), 2, 1, 3, found.data());
    claim("a batch answers query after query and says what is missing",
          found == std::array<std::uint32_t, 6>{7, 9, ann::missing, 7, 9, ann::missing});
}

}  // namespace

int main() {
    read_curves();
    count_answers();
    choose_settings();
    leave_out_settings();
    ask_batches();
    claim("thousands stand apart", ann::grouped(1234567.4) == "1,234,567" && ann::grouped(999) == "999");
    return all_hold ? EXIT_SUCCESS : EXIT_FAILURE;
}
