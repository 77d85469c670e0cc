// benchmarks/flat/main.cpp — how near do exact scans come to the speed of memory, and what does a batch gain?
//
// A scan for one query reads every row once, so memory sets its pace; a batch may use each row for many queries. Every
// round reads an array in order, for the pace of this minute, and then lets each contender answer both ways.
#include "bandwidth.hpp"

#include "../ann/build.hpp"
#include "../ann/clock.hpp"
#include "../ann/contenders.hpp"
#include "../ann/dataset.hpp"
#include "../ann/measure.hpp"
#include "../ann/options.hpp"
#include "../ann/report.hpp"
#include "../ann/sweep.hpp"
#include "../ann/table.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

/// One contender at one setting. Figures of a round each, until the medians are asked for.
struct Scan {
    std::size_t contender;
    ann::Setting setting;
    double recall, batch_recall;
    double row_bytes;  // what a scan reads of a row: its code where there are codes, else the vector
    std::vector<double> qps, batch_qps;

    [[nodiscard]] double gigabytes(double rows) const { return row_bytes * rows * ann::median(qps) / 1e9; }
};

struct Round {
    const ann::Dataset& set;
    std::size_t k;
    std::vector<std::uint32_t> found;

    /// Queries a second, one after the other for about half a second, or less where that is many times around.
    double one_by_one(ann::Searcher& searcher) {
        constexpr double enough_seconds = 0.5;
        const std::size_t most = 20 * set.queries.rows();
        const double begin = ann::thread_seconds();
        double elapsed = 0;
        std::size_t asked = 0;
        for (; elapsed < enough_seconds && asked < most; ++asked) {
            searcher.search(set.queries.row(asked % set.queries.rows()), k, found.data());
            elapsed = ann::thread_seconds() - begin;
        }
        return static_cast<double>(asked) / elapsed;
    }

    /// Queries a second, all of the set's at once.
    double at_once(ann::Searcher& searcher) {
        const double begin = ann::thread_seconds();
        searcher.search_batch(set.queries.row(0), set.queries.rows(), set.queries.dim, k, found.data());
        return static_cast<double>(set.queries.rows()) / (ann::thread_seconds() - begin);
    }
};

/// Scans of every contender; `read` gets the GB/s that reading alone reached.
std::vector<Scan> measure(const ann::Dataset& set, const std::vector<ann::Variant>& variants, const ann::Plan& plan,
                          std::size_t k, double& read) {
    constexpr std::size_t beyond_caches = std::size_t{256} << 20;
    const ann::BuildParams params = ann::build_params(set, plan);
    std::vector<ann::BuildTime> times;
    const auto contenders = ann::build(set, variants, params, 1, times);
    std::vector<std::unique_ptr<ann::Searcher>> searchers;
    Round round{set, k, std::vector<std::uint32_t>(k * set.queries.rows())};
    std::vector<Scan> scans;
    for (std::size_t i = 0; i < variants.size(); ++i) {
        searchers.push_back(contenders[i]->searcher());
        const ann::Bytes bytes = contenders[i]->bytes();
        const double scanned = bytes.index >= static_cast<double>(params.rows) ? bytes.index : bytes.vectors;
        for (const ann::Setting& setting : ann::settings_of(variants[i], plan, k)) {
            contenders[i]->use(setting);
            const double recall = ann::recall_of(set, ann::answers_of(set, *searchers[i], k), k);
            round.at_once(*searchers[i]);
            scans.push_back({i,
                             setting,
                             recall,
                             ann::recall_of(set, round.found, k),
                             scanned / static_cast<double>(params.rows),
                             {},
                             {}});
        }
    }
    flat::Bandwidth bandwidth(std::max(beyond_caches, params.rows * params.dim * sizeof(float)));
    std::vector<double> reads;
    for (std::size_t at = 0; at < plan.rounds; ++at) {
        reads.push_back(bandwidth.measure());
        for (Scan& scan : scans) {
            contenders[scan.contender]->use(scan.setting);
            scan.qps.push_back(round.one_by_one(*searchers[scan.contender]));
            scan.batch_qps.push_back(round.at_once(*searchers[scan.contender]));
        }
    }
    read = ann::median(std::move(reads));
    return scans;
}

void write(std::ostream& table_out, std::ostream& csv, const ann::Dataset& set,
           const std::vector<ann::Variant>& variants, const std::vector<Scan>& scans, std::size_t k, double read) {
    const auto rows = static_cast<double>(set.base.rows());
    const std::string batch = std::to_string(set.queries.rows());
    ann::Table table({set.name + ", k = " + std::to_string(k), "rescore", "recall", "queries/s", "GB/s", "of reading",
                      "queries/s, " + batch + " at once", "recall"});
    for (const Scan& scan : scans) {
        const std::string name = variants[scan.contender].name, rescore = ann::unless_zero(scan.setting.rescore, 1);
        const double qps = ann::median(scan.qps), batch_qps = ann::median(scan.batch_qps);
        const double gigabytes = scan.gigabytes(rows);
        table.add({name, rescore, ann::fixed(scan.recall, 4), ann::fixed(qps, 1), ann::fixed(gigabytes, 1),
                   ann::fixed(gigabytes / read, 2), ann::fixed(batch_qps, 1) + ann::multiple(batch_qps, qps),
                   ann::fixed(scan.batch_recall, 4)});
        csv << set.name << ',' << set.base.rows() << ',' << set.base.dim << ',' << name << ',' << k << ',' << rescore
            << ',' << ann::fixed(scan.recall, 5) << ',' << ann::fixed(qps, 2) << ',' << ann::fixed(gigabytes, 3) << ','
            << ann::fixed(read, 3) << ',' << batch << ',' << ann::fixed(batch_qps, 2) << ','
            << ann::fixed(scan.batch_recall, 5) << '\n';
    }
    table.write(table_out);
    table_out << "reading in order: " << ann::fixed(read, 1) << " GB/s\n\n";
}

void run(const ann::Options& options) {
    constexpr std::array kinds = {ann::Kind::scan};
    const std::vector<ann::Variant> variants = ann::choose(options.contenders, kinds);
    const std::size_t k = options.plan.ks.front();
    std::filesystem::create_directories(options.out);
    std::ofstream csv(options.out / "flat.csv");
    csv << "set,rows,dim,contender,k,rescore,recall,qps,gb_s,read_gb_s,batch,batch_qps,batch_recall\n";
    std::cout << ann::machine() << "\n\n";
    for (const std::string& line : ann::how_built()) std::cout << "- " << line << '\n';
    std::cout << '\n';
    for (const std::string& name : options.sets) {
        const std::size_t queries = std::min(options.queries, options.batch);
        const ann::Dataset set = ann::load(options.data, name, options.rows, queries, k);
        double read = 0;
        const std::vector<Scan> scans = measure(set, variants, options.plan, k, read);
        write(std::cout, csv, set, variants, scans, k, read);
        if (!csv.flush() || !std::cout.flush()) throw std::runtime_error("cannot write " + options.out.string());
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const ann::Options options = ann::parse(argc, argv);
        if (options.help) {
            std::cout << ann::usage;
        } else {
            run(options);
        }
        return EXIT_SUCCESS;
    } catch (const std::invalid_argument& error) {
        std::cerr << error.what() << '\n' << ann::usage;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
    }
    return EXIT_FAILURE;
}
