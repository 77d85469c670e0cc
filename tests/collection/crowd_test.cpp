// tests/collection/crowd_test.cpp — eight threads that write, search, walk, seal and merge: an oracle holds, recall too.
#include "article.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

using kith::Collection;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::FileFaults;
using kith_test::TemporaryDirectory;

namespace {

constexpr int writers = 3, keys_each = 400;

/// The version in a title "title 7, version 3"; -1 when the record is none that was ever written.
int version_of(const Article& record) {
    const int number = std::stoi(record.id.substr(8));
    const int version = std::stoi(record.title.substr(record.title.rfind(' ') + 1));
    return record == article(number, version) ? version : -1;
}

class Crowd {
public:
    explicit Crowd(const std::filesystem::path& path) : collection_(path, options()) {}

    void run(int rounds) {
        std::vector<std::thread> threads;
        for (int writer = 0; writer < writers; ++writer) {
            threads.emplace_back([this, writer, rounds] {
                write(writer, rounds);
                --writing_;
            });
        }
        for (int reader = 0; reader < 3; ++reader) threads.emplace_back([this, reader] { search(reader); });
        threads.emplace_back([this] { walk(); });
        threads.emplace_back([this] {
            for (int round = 0; writing_ > 0; ++round) {
                collection_.checkpoint();
                if (round % 3 == 2) collection_.compact();
            }
        });
        for (std::thread& thread : threads) thread.join();
    }

    /// What is wrong with the collection, now that nobody writes.
    [[nodiscard]] std::string difference() const {
        std::size_t live = 0;
        for (const auto& model : models_) {
            for (const auto& [number, version] : model) {
                const auto found = collection_.get("article-" + std::to_string(number));
                if (version < 0 ? found.has_value() : found != article(number, version)) {
                    return "article " + std::to_string(number) + " is not of version " + std::to_string(version);
                }
                live += version < 0 ? 0 : 1;
            }
        }
        return collection_.size() == live ? "" : "holds " + std::to_string(collection_.size());
    }

    [[nodiscard]] int wrong() const { return wrong_; }
    [[nodiscard]] int searches() const { return searches_; }

    /// The share of the nearest ten that graphs find.
    [[nodiscard]] double recall() const {
        std::size_t hits = 0, wanted = 0;
        for (int number = 90'000; number < 90'050; ++number) {
            const auto query = article(number).embedding;
            std::set<std::string> truth;
            for (const auto& hit : collection_.nearest<&Article::embedding>(query).exact().run()) {
                truth.insert(hit.record.id);
            }
            for (const auto& hit : collection_.nearest<&Article::embedding>(query).run()) {
                hits += truth.count(hit.record.id);
            }
            wanted += truth.size();
        }
        return static_cast<double>(hits) / static_cast<double>(wanted);
    }

private:
    static kith::Options options() {
        kith::Options options;
        options.durability = kith::Durability::on_checkpoint();
        options.segment_capacity = 500;
        options.index_threads = 2;
        return options;
    }

    void write(int writer, int rounds) {
        kith::SplitMix64 random(static_cast<std::uint64_t>(writer) + 1);
        std::map<int, int>& model = models_[static_cast<std::size_t>(writer)];
        for (int round = 1; round <= rounds; ++round) {
            std::vector<Article> batch;
            std::set<int> numbers;
            while (numbers.size() < 12) {
                numbers.insert(writer * keys_each + static_cast<int>(random() % keys_each));
            }
            for (const int number : numbers) batch.push_back(article(number, round));
            collection_.upsert(batch);
            for (const int number : numbers) model[number] = round;
            const int gone = *numbers.begin();
            if (!collection_.erase("article-" + std::to_string(gone))) ++wrong_;
            model[gone] = -1;
        }
    }

    // Readers look at least once: on a busy machine the writers may be done before they begin.

    void search(int reader) {
        for (int round = 0; round == 0 || writing_ > 0; ++round, ++searches_) {
            const auto query = article(50'000 + 1000 * reader + round).embedding;
            float before = 0;
            for (const auto& hit : collection_.nearest<&Article::embedding>(query).limit(10).run()) {
                if (hit.distance < before || version_of(hit.record) < 1) ++wrong_;
                before = hit.distance;
            }
            const auto one = collection_.get("article-" + std::to_string(round % (writers * keys_each)));
            if (one.has_value() && version_of(*one) < 1) ++wrong_;
        }
    }

    void walk() {
        do {
            const auto snapshot = collection_.snapshot();
            std::set<std::string> seen;
            for (const Article& record : snapshot.records()) {
                if (version_of(record) < 1 || !seen.insert(record.id).second) ++wrong_;
            }
            if (seen.size() != snapshot.size()) ++wrong_;
        } while (writing_ > 0);
    }

    Collection<Articles> collection_;
    std::array<std::map<int, int>, writers> models_;  // number → version, -1 when erased; each writer's own keys
    std::atomic<int> writing_{writers};
    std::atomic<int> wrong_{0};
    std::atomic<int> searches_{0};
};

void expect_crowd(int rounds) {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    Crowd crowd(directory / "articles.kith");
    crowd.run(rounds);
    CHECK(crowd.wrong() == 0);
    CHECK(crowd.searches() > 0);
    CHECK(crowd.difference() == "");
    CHECK(crowd.recall() > 0.9);
}

}  // namespace

TEST_CASE("Eight threads that write, search, walk, seal and merge see no wrong record", "[threads]") {
    expect_crowd(60);
}

TEST_CASE("Eight threads see no wrong record for half a minute", "[threads][slow]") {
    expect_crowd(3000);
}
