// benchmarks/ann/main.cpp — how many queries a second, at which recall, for which build time and memory?
//
// Every contender builds a graph with the same parameters over the same vectors and answers the same queries, one
// thread, taking turns. Recall counts a result that is no farther than the true k-th nearest, so ties are fair.
#include "contender.hpp"
#include "dataset.hpp"
#include "measure.hpp"
#include "report.hpp"

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr const char* usage =
    "ann --data DIR [--sets fashion,text] [--out results] [--contenders kith,hnswlib]\n"
    "    [--rows N] [--queries N] [--k 10] [--rounds 5] [--ef 10,16,24,...]\n"
    "A set is words (examples/data), fashion, text, glove or sift, or any NAME with DIR/NAME.base.fvecs and "
    "DIR/NAME.query.fvecs (L2).\n";

struct Settings {
    std::filesystem::path data;
    std::filesystem::path out = "results";
    std::vector<std::string> sets = {"fashion", "text"};
    std::vector<std::string> contenders = {"hnswlib", "kith"};
    std::size_t rows = std::numeric_limits<std::size_t>::max();
    std::size_t queries = std::numeric_limits<std::size_t>::max();
    ann::Rounds rounds{10, 5, {10, 16, 24, 32, 48, 64, 96, 128, 200, 300, 500}};
};

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
    return parts;
}

Settings parse(int argc, char** argv) {
    Settings settings;
    for (int i = 1; i < argc; i += 2) {
        const std::string option = argv[i];
        if (i + 1 == argc) throw std::invalid_argument("what is the value of " + option + "?");
        const std::string value = argv[i + 1];
        if (option == "--data") {
            settings.data = value;
        } else if (option == "--out") {
            settings.out = value;
        } else if (option == "--sets") {
            settings.sets = split(value);
        } else if (option == "--contenders") {
            settings.contenders = split(value);
        } else if (option == "--rows") {
            settings.rows = std::stoul(value);
        } else if (option == "--queries") {
            settings.queries = std::stoul(value);
        } else if (option == "--k") {
            settings.rounds.k = std::stoul(value);
        } else if (option == "--rounds") {
            settings.rounds.count = std::stoul(value);
        } else if (option == "--ef") {
            settings.rounds.efs.clear();
            for (const std::string& ef : split(value)) {
                settings.rounds.efs.push_back(static_cast<std::uint32_t>(std::stoul(ef)));
            }
        } else {
            throw std::invalid_argument("no option is called " + option);
        }
    }
    if (settings.data.empty()) throw std::invalid_argument("--data is missing");
    return settings;
}

std::vector<ann::Entrant> make_entrants(const std::vector<std::string>& names, const ann::Dataset& set) {
    const ann::BuildParams params{.dim = set.base.dim, .rows = set.base.rows(), .cosine = set.cosine};
    std::vector<ann::Entrant> entrants;
    for (const std::string& name : names) {
        if (name != "kith" && name != "sq8" && name != "hnswlib")
            throw std::invalid_argument("no contender is called " + name);
        auto contender = name == "sq8"    ? ann::make_kith_sq8(params)
                         : name == "kith" ? ann::make_kith(params)
                                          : ann::make_hnswlib(params);
        if (contender == nullptr) {
            std::cerr << "not built with " << name << ", going on without\n";
        } else {
            entrants.push_back({name, std::move(contender)});
        }
    }
    return entrants;
}

void run(const Settings& settings) {
    std::filesystem::create_directories(settings.out);
    std::vector<ann::Result> all;
    for (const std::string& name : settings.sets) {
        const ann::Dataset set = ann::load(settings.data, name, settings.rows, settings.queries, settings.rounds.k);
        std::vector<ann::Entrant> entrants = make_entrants(settings.contenders, set);
        const std::vector<ann::Result> results = ann::measure(set, entrants, settings.rounds);
        ann::write_summary(std::cout, results, "hnswlib");
        std::cout.flush();
        std::ofstream plot(settings.out / ("ann-" + name + ".svg"));
        ann::write_plot(plot, results);
        all.insert(all.end(), results.begin(), results.end());
        std::ofstream csv(settings.out / "ann.csv");
        ann::write_csv(csv, all);
        if (!plot.flush() || !csv.flush()) throw std::runtime_error("cannot write to " + settings.out.string());
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(parse(argc, argv));
        return EXIT_SUCCESS;
    } catch (const std::invalid_argument& error) {
        std::cerr << error.what() << '\n' << usage;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
    }
    return EXIT_FAILURE;
}
