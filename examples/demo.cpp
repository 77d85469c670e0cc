// examples/demo.cpp — the main job from end to end: load, search, measure, crash, recover.
//
//   demo DATA_DIR WORK_DIR
//
// DATA_DIR holds words.tsv and words.i8bin (examples/data). WORK_DIR is made anew. The program checks what it shows:
// it exits with 1 when recall is low or an acknowledged record is missing.
#include "terminal.hpp"
#include "word.hpp"

#include <kith/kith.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace {

using demo::Word;
using demo::Words;
using Records = std::span<const Word>;

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void load(kith::Collection<Words>& words, Records records) {
    constexpr std::size_t batch = 500;
    terminal::ProgressBar bar("inserting", records.size());
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t first = 0; first < records.size(); first += batch) {
        words.insert(records.subspan(first, std::min(batch, records.size() - first)));
        bar.advance_to(std::min(first + batch, records.size()));
    }
    const double inserted = seconds_since(start);
    words.link();
    words.checkpoint();
    std::printf("  %zu records acknowledged in %.2f s, each batch of %zu synced to the disk;\n", records.size(),
                inserted, batch);
    std::printf("  linked into the graph and sealed after %.2f s.\n", seconds_since(start));
}

void show_nearest(const kith::Collection<Words>& words, const std::string& text) {
    const auto word = words.get(text);
    if (!word.has_value()) return;
    std::printf("\nNearest words to \"%s\"\n", text.c_str());
    terminal::print_table(words.nearest<&Word::vector>(word->vector).limit(6).run());
}

void show_nearest_frequent(const kith::Collection<Words>& words, const std::string& text, int rank) {
    const auto word = words.get(text);
    if (!word.has_value()) return;
    std::printf("\nNearest words to \"%s\" of at least 6 letters among the %d most frequent\n", text.c_str(), rank);
    terminal::print_table(words.nearest<&Word::vector>(word->vector)
                              .where(kith::field<&Word::rank> <= rank && kith::field<&Word::length> >= 6)
                              .limit(6)
                              .run());
}

/// Recall@10 against exact search and the median latency, over every `step`-th record as the query.
double measure(const kith::Collection<Words>& words, Records records) {
    constexpr std::size_t limit = 10;
    constexpr std::size_t step = 29;
    std::size_t found = 0;
    std::vector<double> micros;
    for (std::size_t i = 0; i < records.size(); i += step) {
        const auto exact = words.nearest<&Word::vector>(records[i].vector).limit(limit).exact().run();
        const auto start = std::chrono::steady_clock::now();
        const auto hits = words.nearest<&Word::vector>(records[i].vector).limit(limit).run();
        micros.push_back(seconds_since(start) * 1e6);
        for (const auto& hit : hits) {
            if (hit.distance <= exact.back().distance) ++found;
        }
    }
    const auto median = micros.begin() + static_cast<std::ptrdiff_t>(micros.size() / 2);
    std::nth_element(micros.begin(), median, micros.end());
    const double recall = static_cast<double>(found) / static_cast<double>(limit * micros.size());
    std::printf("\nOver %zu queries: recall@10 %.3f against exact search, median latency %.0f us with the records.\n",
                micros.size(), recall, *median);
    return recall;
}

/// In a child process: inserts records in small batches and reports each acknowledgement, until it is killed.
[[noreturn]] void load_until_killed(const std::filesystem::path& path, Records records, int report) {
    constexpr std::size_t batch = 20;
    kith::Collection<Words> words(path);
    for (std::size_t first = 0;; first += batch) {
        if (first + batch > records.size()) ::pause();
        words.insert(records.subspan(first, batch));
        const std::size_t acknowledged = first + batch;
        if (::write(report, &acknowledged, sizeof(acknowledged)) != sizeof(acknowledged)) std::_Exit(1);
    }
}

/// Kills a loading child after it acknowledged `enough` records; returns how many it acknowledged in all.
std::size_t crash_while_loading(const std::filesystem::path& path, Records records, std::size_t enough) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        load_until_killed(path, records, ends[1]);
    }
    ::close(ends[1]);
    std::size_t acknowledged = 0;
    std::size_t latest = 0;
    bool killed = false;
    while (::read(ends[0], &latest, sizeof(latest)) == sizeof(latest)) {
        acknowledged = latest;
        if (!killed && acknowledged >= enough) {
            ::kill(child, SIGKILL);
            killed = true;
        }
    }
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    return acknowledged;
}

bool all_there(const kith::Collection<Words>& words, Records records) {
    return std::all_of(records.begin(), records.end(), [&](const Word& word) {
        const auto stored = words.get(word.text);
        return stored.has_value() && stored->rank == word.rank && stored->vector == word.vector;
    });
}

bool run(const std::filesystem::path& data, const std::filesystem::path& work) {
    const std::vector<Word> all = demo::read_words(data);
    const Records first = Records(all).first(all.size() * 3 / 4);
    const Records second = Records(all).subspan(first.size());
    std::filesystem::remove_all(work);
    std::filesystem::create_directories(work);
    const std::filesystem::path path = work / "words.kith";

    double recall = 0;
    std::printf("kith %s: %zu English words with %zu-dimensional vectors\n\n", kith::version, all.size(),
                all.front().vector.size());
    {
        kith::Collection<Words> words(path);
        load(words, first);
        for (const char* text : {"ocean", "guitar", "berlin"}) show_nearest(words, text);
        show_nearest_frequent(words, "ocean", 3000);
        recall = measure(words, first);
    }

    std::printf("\nA second process loads %zu more words and is killed (SIGKILL) in the middle ...\n", second.size());
    const std::size_t acknowledged = crash_while_loading(path, second, second.size() / 3);

    const auto start = std::chrono::steady_clock::now();
    const kith::Collection<Words> words(path);
    const double opened = seconds_since(start);
    const bool whole = all_there(words, first) && all_there(words, second.first(acknowledged));
    std::printf("  acknowledged before the kill: %zu records\n", acknowledged);
    std::printf("  reopened in %.0f ms: %llu batches replayed from the log, %zu records in all\n", opened * 1e3,
                static_cast<unsigned long long>(words.recovery().replayed_batches), words.size());
    std::printf("  %s\n", whole ? "every acknowledged record is there." : "RECORDS ARE MISSING.");
    return whole && recall >= 0.9;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: demo DATA_DIR WORK_DIR\n");
        return 2;
    }
    try {
        return run(argv[1], argv[2]) ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "demo: %s\n", error.what());
        return 1;
    }
}
