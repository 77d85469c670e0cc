// benchmarks/ann/options.cpp — reading the command line.
#include "options.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>

namespace ann {
namespace {

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
    return parts;
}

/// Throws: std::invalid_argument for anything but digits that make a positive number of type T.
template <class T>
T number(const std::string& text) {
    std::istringstream in(text);
    T value{};
    const bool starts_well = !text.empty() && text[0] >= '0' && text[0] <= '9';
    if (!starts_well || !(in >> value) || in.peek() != std::istringstream::traits_type::eof() || value <= 0) {
        throw std::invalid_argument("not a positive number: " + text);
    }
    return value;
}

template <class T>
std::vector<T> numbers(const std::string& text) {
    std::vector<T> values;
    for (const std::string& part : split(text)) values.push_back(number<T>(part));
    if (values.empty()) throw std::invalid_argument("not a list of numbers: " + text);
    return values;
}

/// Few rows, few queries, one round: whether everything works, not how fast it is.
void make_quick(Options& options) {
    options.rows = std::min<std::size_t>(options.rows, 4000);
    options.queries = std::min<std::size_t>(options.queries, 100);
    options.plan.rounds = 1;
    if (options.plan.ef.empty()) options.plan.ef = {16, 64, 256};
    if (options.plan.nprobe.empty()) options.plan.nprobe = {1, 4, 16};
    if (options.plan.rescore.empty()) options.plan.rescore = {4, 20};
}

}  // namespace

const char* const usage =
    "ann --data DIR [OPTIONS]:  recall against queries a second, build time and memory\n"
    "flat --data DIR [OPTIONS]: how near exact scans come to the speed of memory\n"
    "  --sets fashion,text     words (examples/data), fashion, text, glove, sift, or any NAME with\n"
    "                          DIR/NAME.base.fvecs and DIR/NAME.query.fvecs (L2)\n"
    "  --contenders A,B        who takes part; left out: all but the scans; of `flat`: all scans\n"
    "  --peer hnswlib          whose multiples the tables give\n"
    "  --out results           where tables, rows to compute with, and pictures go\n"
    "  --k 10,100              neighbours wanted; left out: 10\n"
    "  --rows N --queries N    the first so many\n"
    "  --rounds 5              passes over the queries at each setting, of which the median counts\n"
    "  --ef, --nprobe, --rescore 10,20,...   in place of the contenders' own settings\n"
    "  --lists N               of every inverted file that lets one choose; left out: the power of two from the root\n"
    "                          of the rows up\n"
    "  --build-threads 2       build once more with so many\n"
    "  --search-threads 2      search one setting with so many at once\n"
    "  --memory                build once more, each alone in a process, to see what it takes\n"
    "  --batch 256             queries that `flat` asks at once\n"
    "  --quick                 4,000 rows, 100 queries, one round, few settings: a look whether all works\n";

Options parse(int count, const char* const* arguments) {
    Options options;
    Plan& plan = options.plan;
    bool quick = false;
    const auto size = [](std::size_t& to) { return [&](const std::string& text) { to = number<std::size_t>(text); }; };
    const auto threads = [](unsigned& to) { return [&](const std::string& text) { to = number<unsigned>(text); }; };
    const std::map<std::string, bool*> flags = {
        {"--memory", &plan.memory}, {"--quick", &quick}, {"--help", &options.help}};
    const std::map<std::string, std::function<void(const std::string&)>> takes = {
        {"--data", [&](const std::string& text) { options.data = text; }},
        {"--out", [&](const std::string& text) { options.out = text; }},
        {"--sets", [&](const std::string& text) { options.sets = split(text); }},
        {"--contenders", [&](const std::string& text) { options.contenders = split(text); }},
        {"--peer", [&](const std::string& text) { options.peer = text; }},
        {"--k", [&](const std::string& text) { plan.ks = numbers<std::size_t>(text); }},
        {"--ef", [&](const std::string& text) { plan.ef = numbers<std::uint32_t>(text); }},
        {"--nprobe", [&](const std::string& text) { plan.nprobe = numbers<std::uint32_t>(text); }},
        {"--rescore", [&](const std::string& text) { plan.rescore = numbers<float>(text); }},
        {"--rows", size(options.rows)},
        {"--queries", size(options.queries)},
        {"--rounds", size(plan.rounds)},
        {"--lists", size(plan.lists)},
        {"--batch", size(options.batch)},
        {"--build-threads", threads(plan.build_threads)},
        {"--search-threads", threads(plan.search_threads)},
    };
    for (int i = 1; i < count; ++i) {
        const std::string option = arguments[i];
        const auto flag = flags.find(option);
        const auto take = takes.find(option);
        if (flag != flags.end()) {
            *flag->second = true;
        } else if (take == takes.end()) {
            throw std::invalid_argument("no option is called " + option);
        } else if (++i == count) {
            throw std::invalid_argument("what is the value of " + option + "?");
        } else {
            take->second(arguments[i]);
        }
    }
    if (options.help) return options;
    if (options.data.empty()) throw std::invalid_argument("--data is missing");
    if (quick) make_quick(options);
    return options;
}

}  // namespace ann
