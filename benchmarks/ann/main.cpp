// benchmarks/ann/main.cpp — how many queries a second, at which recall, for which build time and memory?
//
// Every contender indexes the same vectors and answers the same queries, taking turns. Recall counts a result that is
// no farther than the true k-th nearest, so ties are fair. docs/benchmarks.md says what the columns mean.
#include "contenders.hpp"
#include "dataset.hpp"
#include "measure.hpp"
#include "options.hpp"
#include "plot.hpp"
#include "report.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace {

void save(const std::filesystem::path& file, const std::string& text) {
    std::ofstream out(file);
    out << text;
    if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

void run(const ann::Options& options) {
    constexpr std::array kinds = {ann::Kind::graph, ann::Kind::trained};
    const std::vector<ann::Variant> variants = ann::choose(options.contenders, kinds);
    const std::size_t most = *std::max_element(options.plan.ks.begin(), options.plan.ks.end());
    std::filesystem::create_directories(options.out);

    std::ostringstream tables, rows;
    tables << ann::machine() << "\n\n";
    for (const std::string& line : ann::how_built()) tables << "- " << line << '\n';
    tables << '\n';
    std::cout << tables.str() << std::flush;

    std::vector<ann::Result> all;
    for (const std::string& name : options.sets) {
        const ann::Dataset set = ann::load(options.data, name, options.rows, options.queries, most);
        const std::vector<ann::Result> results = ann::measure(set, variants, options.plan);
        std::ostringstream table, picture;
        ann::write_tables(table, results, options.plan, options.peer);
        std::cout << table.str() << std::flush;
        tables << table.str();
        ann::write_plot(picture, results, options.plan);
        save(options.out / ("ann-" + name + ".svg"), picture.str());

        // After each set, so that a run that is stopped leaves what it has.
        all.insert(all.end(), results.begin(), results.end());
        rows.str("");
        ann::write_csv(rows, all);
        save(options.out / "ann.csv", rows.str());
        save(options.out / "ann.md", tables.str());
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
