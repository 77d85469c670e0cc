// benchmarks/ann/report.cpp — the tables and the rows.
#include "report.hpp"

#include "curve.hpp"
#include "table.hpp"

#include <array>
#include <fstream>
#include <ostream>
#include <thread>
#include <vector>

namespace ann {
namespace {

constexpr std::array<double, 3> recalls = {0.90, 0.95, 0.99};

/// Queries a second at a recall. Where even the fastest setting finds more, its speed is the least that can be said.
struct Speed {
    double qps = 0;  // 0: not reached
    bool at_least = false;
};

Speed speed_at(const Result& result, std::size_t k, double recall) {
    const Curve* const curve = curve_for(result, k);
    if (curve == nullptr) return {};
    return {qps_at(*curve, recall), recall < frontier(*curve).front().recall};
}

void write_speeds(std::ostream& out, std::span<const Result> results, std::size_t k, const Result* peer) {
    std::vector<std::string> titles = {results[0].set + ": queries/s at recall@" + std::to_string(k)};
    for (const double recall : recalls) titles.push_back(fixed(recall, 2).substr(1));
    titles.emplace_back("most found");
    Table table(std::move(titles));
    for (const Result& result : results) {
        const Curve* const curve = curve_for(result, k);
        if (curve == nullptr) continue;
        std::vector<std::string> cells = {result.contender};
        for (const double recall : recalls) {
            const Speed ours = speed_at(result, k, recall);
            const Speed theirs = peer == nullptr ? Speed{} : speed_at(*peer, k, recall);
            // A multiple of the least that can be said would flatter.
            const std::string ratio = theirs.at_least ? "" : multiple(ours.qps, theirs.qps);
            const std::string cell = (ours.at_least ? "≥ " : "") + grouped(ours.qps) + ratio;
            cells.push_back(ours.qps == 0 ? "not reached" : cell);
        }
        cells.push_back(fixed(frontier(*curve).back().recall, 4));
        table.add(std::move(cells));
    }
    table.write(out);
}

void write_costs(std::ostream& out, std::span<const Result> results, const Plan& plan, const Result* peer) {
    const std::string threads = std::to_string(plan.build_threads);
    const std::string searching = std::to_string(plan.search_threads);
    std::vector<std::string> titles = {results[0].set + ": cost", "build, s"};
    if (plan.build_threads > 1) titles.push_back("with " + threads + " threads, s");
    titles.insert(titles.end(), {"index, bytes a vector", "vectors", "in all"});
    if (plan.memory) titles.emplace_back("most while building");
    if (plan.search_threads > 1) titles.push_back(searching + " threads searching");
    Table table(std::move(titles));
    for (const Result& result : results) {
        const Result& other = peer == nullptr ? result : *peer;
        const auto ratio = [&](double ours, double theirs) { return peer == nullptr ? "" : multiple(ours, theirs); };
        const double all = result.bytes.index + result.bytes.vectors;
        std::vector<std::string> cells = {result.contender,
                                          fixed(result.build_s, 2) + ratio(result.build_s, other.build_s)};
        if (plan.build_threads > 1) {
            // Against its own build with one thread by the same clock.
            cells.push_back(fixed(result.build_many_s, 2) + multiple(result.build_wall_s, result.build_many_s));
        }
        cells.push_back(grouped(result.bytes.index));
        cells.push_back(grouped(result.bytes.vectors));
        cells.push_back(grouped(all) + ratio(all, other.bytes.index + other.bytes.vectors));
        if (plan.memory) {
            const std::string peak = grouped(result.peak_bytes) + ratio(result.peak_bytes, other.peak_bytes);
            cells.push_back(result.peak_bytes > 0 ? peak : "not known here");
        }
        if (plan.search_threads > 1) cells.push_back(fixed(result.search_many, 2) + "×");
        table.add(std::move(cells));
    }
    table.write(out);
}

}  // namespace

std::string machine() {
    std::string processor = "unknown processor";
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);) {
        if (line.starts_with("model name")) {
            processor = line.substr(line.find(':') + 2);
            break;
        }
    }
#ifdef __clang__
    const std::string compiler = "clang " __clang_version__;
#else
    const std::string compiler = "g++ " __VERSION__;
#endif
    return processor + ", " + std::to_string(std::thread::hardware_concurrency()) + " cores; " + compiler;
}

void write_csv(std::ostream& out, std::span<const Result> results) {
    out << "set,rows,dim,contender,k,ef,nprobe,stretch,rescore,recall,qps,p50_us,build_s,build_wall_s,build_many_s,"
           "index_bytes,"
           "vector_bytes,peak_bytes,search_many\n";
    for (const Result& result : results) {
        for (const Curve& curve : result.curves) {
            for (const Point& point : curve.points) {
                out << result.set << ',' << result.rows << ',' << result.dim << ',' << result.contender << ','
                    << curve.k << ',' << unless_zero(point.setting.ef, 0) << ',' << unless_zero(point.setting.nprobe, 0)
                    << ',' << unless_zero(point.setting.stretch, 2) << ',' << unless_zero(point.setting.rescore, 1)
                    << ',' << fixed(point.recall, 5) << ',' << fixed(point.qps, 1) << ',' << fixed(point.p50_us, 1)
                    << ',' << fixed(result.build_s, 3) << ',' << fixed(result.build_wall_s, 3) << ','
                    << unless_zero(result.build_many_s, 3) << ',' << fixed(result.bytes.index, 1) << ','
                    << fixed(result.bytes.vectors, 1) << ',' << unless_zero(result.peak_bytes, 1) << ','
                    << unless_zero(result.search_many, 3) << '\n';
            }
        }
    }
}

void write_tables(std::ostream& out, std::span<const Result> results, const Plan& plan, const std::string& peer) {
    if (results.empty()) return;
    const Result* const other = find(results, peer);
    for (const std::size_t k : plan.ks) {
        write_speeds(out, results, k, other);
        out << '\n';
    }
    write_costs(out, results, plan, other);
    out << '\n';
}

}  // namespace ann
