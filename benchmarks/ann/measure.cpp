// benchmarks/ann/measure.cpp — which settings are searched, in which order, and by how many threads.
#include "measure.hpp"

#include "build.hpp"
#include "clock.hpp"
#include "sweep.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <iostream>
#include <stdexcept>
#include <thread>

namespace ann {
namespace {

/// A round of a slow setting asks only as many queries as fit into this.
constexpr double most_seconds_a_pass = 0.5;
constexpr std::size_t fewest_queries_a_pass = 50;

struct Pass {
    double qps = 0;
    double p50_us = 0;
};

Pass run(const Dataset& set, Searcher& searcher, std::size_t k, std::size_t queries) {
    std::vector<std::uint32_t> found(k);
    std::vector<double> latencies(queries);
    const double begin = thread_seconds();
    for (std::size_t query = 0; query < queries; ++query) {
        const double asked = wall_seconds();
        searcher.search(set.queries.row(query), k, found.data());
        latencies[query] = 1e6 * (wall_seconds() - asked);
    }
    return {static_cast<double>(queries) / (thread_seconds() - begin), median(std::move(latencies))};
}

/// A setting of one contender while it is measured.
struct Trial {
    std::size_t contender;
    Point point;
    std::size_t queries;  // a pass
    std::vector<double> qps, p50_us;
};

/// The field of contenders in their places, each with a searcher for this thread.
struct Field {
    const Dataset& set;
    std::vector<std::unique_ptr<Contender>> contenders;
    std::vector<std::unique_ptr<Searcher>> searchers;
};

/// Recall at every setting, timed roughly, and without the settings that are not worth a closer look.
std::vector<Trial> first_look(Field& field, const std::vector<Variant>& variants, const Plan& plan, std::size_t k) {
    const std::size_t all = field.set.queries.rows();
    const std::size_t few = std::min(all, fewest_queries_a_pass);
    std::vector<Trial> trials;
    for (std::size_t i = 0; i < variants.size(); ++i) {
        std::vector<Point> tried;
        for (const Setting& setting : settings_of(variants[i], plan, k)) {
            if (is_pointless(setting, tried)) continue;
            field.contenders[i]->use(setting);
            Searcher& searcher = *field.searchers[i];
            const double recall = recall_of(field.set, answers_of(field.set, searcher, k), k);
            const double qps = std::max(run(field.set, searcher, k, few).qps, run(field.set, searcher, k, few).qps);
            tried.push_back({setting, recall, qps, 0});
        }
        for (const Point& point : tried) {
            if (is_beaten(point, tried)) continue;
            const auto fitting = static_cast<std::size_t>(point.qps * most_seconds_a_pass);
            trials.push_back({i, point, std::clamp(fitting, few, all), {}, {}});
        }
    }
    return trials;
}

/// One round: every setting once, the contenders in turns that begin elsewhere each time.
void run_round(Field& field, std::vector<Trial>& trials, std::size_t k, std::size_t round) {
    std::vector<std::vector<Trial*>> queues(field.contenders.size());
    for (Trial& trial : trials) queues[trial.contender].push_back(&trial);
    bool any = true;
    for (std::size_t step = 0; any; ++step) {
        any = false;
        for (std::size_t turn = 0; turn < queues.size(); ++turn) {
            const std::size_t i = (turn + round) % queues.size();
            if (step >= queues[i].size()) continue;
            any = true;
            Trial& trial = *queues[i][step];
            field.contenders[i]->use(trial.point.setting);
            const Pass pass = run(field.set, *field.searchers[i], k, trial.queries);
            trial.qps.push_back(pass.qps);
            trial.p50_us.push_back(pass.p50_us);
        }
    }
}

/// Queries a second of the wall clock, `threads` asking the same queries from different places on.
double qps_of_threads(Field& field, std::size_t contender, std::size_t k, std::size_t queries, unsigned threads) {
    std::atomic<unsigned> ready = 0;
    std::atomic<bool> go = false;
    const auto work = [&](unsigned thread) {
        const auto searcher = field.contenders[contender]->searcher();
        std::vector<std::uint32_t> found(k);
        const std::size_t all = field.set.queries.rows();
        const auto ask = [&](std::size_t query) {
            searcher->search(field.set.queries.row((query + thread * all / threads) % all), k, found.data());
        };
        for (std::size_t query = 0; query < std::min(all, fewest_queries_a_pass); ++query) ask(query);  // warms up
        ++ready;
        while (!go) std::this_thread::yield();
        for (std::size_t query = 0; query < queries; ++query) ask(query);
    };
    std::vector<std::thread> others;
    for (unsigned thread = 0; thread < threads; ++thread) others.emplace_back(work, thread);
    while (ready < threads) std::this_thread::yield();
    const double begin = wall_seconds();
    go = true;
    for (std::thread& other : others) other.join();
    return static_cast<double>(threads * queries) / (wall_seconds() - begin);
}

/// What more threads bring at the fastest setting that finds 95 of 100, or at the best one.
void measure_threads(Field& field, const std::vector<Trial>& trials, const Plan& plan, std::vector<Result>& results) {
    constexpr double wanted = 0.95;
    for (std::size_t i = 0; i < results.size(); ++i) {
        const Trial* chosen = nullptr;
        for (const Trial& trial : trials) {
            if (trial.contender != i) continue;
            const bool enough = trial.point.recall >= wanted;
            const bool had_enough = chosen != nullptr && chosen->point.recall >= wanted;
            const bool better = chosen == nullptr || (enough && (!had_enough || trial.point.qps > chosen->point.qps)) ||
                                (!enough && !had_enough && trial.point.recall > chosen->point.recall);
            if (better) chosen = &trial;
        }
        if (chosen == nullptr) continue;
        field.contenders[i]->use(chosen->point.setting);
        // Long enough that starting and ending together does not count.
        const auto asked =
            std::max(fewest_queries_a_pass, static_cast<std::size_t>(chosen->point.qps * most_seconds_a_pass));
        std::vector<double> ratios;
        for (std::size_t round = 0; round < plan.rounds; ++round) {
            const double one = qps_of_threads(field, i, plan.ks.front(), asked, 1);
            ratios.push_back(qps_of_threads(field, i, plan.ks.front(), asked, plan.search_threads) / one);
        }
        results[i].search_many = median(std::move(ratios));
    }
}

}  // namespace

BuildParams build_params(const Dataset& set, const Plan& plan) {
    const std::size_t rows = set.base.rows();
    const auto root = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(rows))));
    BuildParams params;
    params.dim = set.base.dim;
    params.rows = rows;
    params.cosine = set.cosine;
    params.lists = plan.lists != 0 ? plan.lists : std::bit_ceil(root);
    return params;
}

std::vector<std::uint32_t> answers_of(const Dataset& set, Searcher& searcher, std::size_t k) {
    std::vector<std::uint32_t> answers(set.queries.rows() * k, missing);
    for (std::size_t query = 0; query < set.queries.rows(); ++query) {
        searcher.search(set.queries.row(query), k, answers.data() + query * k);
    }
    return answers;
}

double recall_of(const Dataset& set, const std::vector<std::uint32_t>& answers, std::size_t k) {
    constexpr double tie = 1e-5;  // rounding must not make a tie a miss
    std::size_t hits = 0;
    for (std::size_t at = 0; at < answers.size(); ++at) {
        const std::size_t query = at / k;
        const auto first = answers.begin() + static_cast<std::ptrdiff_t>(query * k);
        const auto here = answers.begin() + static_cast<std::ptrdiff_t>(at);
        if (*here == missing || std::find(first, here, *here) != here) continue;
        if (*here >= set.base.rows()) throw std::runtime_error("a contender returned what was never added");
        const double reach = set.reach(query, k) + tie * std::abs(set.reach(query, k));
        if (true_distance(set, set.queries.row(query), set.base.row(*here)) <= reach) ++hits;
    }
    return static_cast<double>(hits) / static_cast<double>(answers.size());
}

std::vector<Result> measure(const Dataset& set, const std::vector<Variant>& variants, const Plan& plan) {
    const BuildParams params = build_params(set, plan);
    const auto rows = static_cast<double>(params.rows);
    std::vector<Result> results(variants.size());
    for (std::size_t i = 0; i < variants.size(); ++i) {
        results[i].set = set.name;
        results[i].contender = variants[i].name;
        results[i].rows = params.rows;
        results[i].dim = params.dim;
        if (plan.memory) results[i].peak_bytes = peak_bytes(set, variants[i], params) / rows;
    }
    std::vector<BuildTime> times;
    Field field{set, build(set, variants, params, 1, times), {}};
    for (std::size_t i = 0; i < variants.size(); ++i) {
        results[i].build_s = times[i].cpu_s;
        results[i].build_wall_s = times[i].wall_s;
        std::cerr << set.name << ": " << variants[i].name << " built in " << times[i].wall_s << " s\n";
        const Bytes bytes = field.contenders[i]->bytes();
        results[i].bytes = {bytes.index / rows, bytes.vectors / rows};
        field.searchers.push_back(field.contenders[i]->searcher());
    }
    for (const std::size_t k : plan.ks) {
        std::vector<Trial> trials = first_look(field, variants, plan, k);
        std::cerr << set.name << ": searching " << trials.size() << " settings for " << k << "\n";
        for (std::size_t round = 0; round < plan.rounds; ++round) run_round(field, trials, k, round);
        for (Result& result : results) result.curves.push_back({k, {}});
        for (Trial& trial : trials) {
            trial.point.qps = median(std::move(trial.qps));
            trial.point.p50_us = median(std::move(trial.p50_us));
            results[trial.contender].curves.back().points.push_back(trial.point);
        }
        if (plan.search_threads > 1 && k == plan.ks.front()) measure_threads(field, trials, plan, results);
    }
    field.searchers.clear();
    field.contenders.clear();
    if (plan.build_threads > 1) {
        build(set, variants, params, plan.build_threads, times);
        for (std::size_t i = 0; i < variants.size(); ++i) results[i].build_many_s = times[i].wall_s;
    }
    return results;
}

}  // namespace ann
