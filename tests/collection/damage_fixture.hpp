// tests/collection/damage_fixture.hpp — a stored collection to damage: every kind of file, several segments, erased and
// replaced records, and batches that only the log has.
#pragma once

#include "article.hpp"

#include "kith/collection/verify.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kith_test {

namespace fs = std::filesystem;

inline constexpr int fixture_articles = 330;

/// Whether record `number` of the fixture exists, and in which version.
inline std::optional<int> fixture_version(int number) {
    if (number >= 40 && number < 50) return std::nullopt;
    if (number >= 100 && number < 120) return 1;
    return number < fixture_articles ? std::optional(0) : std::nullopt;
}

/// Makes the collection and closes it. Two checkpoints, and after the second thirty records in three batches.
inline void make_fixture(const fs::path& path) {
    kith::Collection<Articles> collection(path);
    collection.insert(articles(0, 200));
    collection.checkpoint();
    collection.upsert(articles(100, 20, 1));
    for (int number = 40; number < 50; ++number) collection.erase("article-" + std::to_string(number));
    std::vector<Article> more = articles(200, 100);
    for (Article& each : more) {
        if (each.year % 25 == 0) each.title += std::string(9000, 'l');  // a row of several pages
    }
    collection.insert(more);
    collection.checkpoint();
    for (int first = 300; first < fixture_articles; first += 10) collection.insert(articles(first, 10));
}

/// Every file below a folder and its bytes.
inline std::map<std::string, std::string> all_bytes(const fs::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) files[fs::relative(entry.path(), folder).string()] = bytes_of(entry.path());
    }
    return files;
}

/// Makes `folder` hold these files and no other.
inline void restore(const fs::path& folder, const std::map<std::string, std::string>& files) {
    fs::remove_all(folder);
    for (const auto& [name, bytes] : files) {
        fs::create_directories((folder / name).parent_path());
        set_bytes(folder / name, bytes);
    }
}

/// "rows: what, consequence" of each damage, for messages.
inline std::string listed(const kith::VerifyReport& report) {
    std::string text;
    for (const kith::Damage& damage : report.damages) {
        text += std::string(kith::name(damage.kind)) + " at " + damage.file + ":" + std::to_string(damage.offset) +
                ": " + damage.what + "; " + damage.consequence + "\n";
    }
    return text;
}

}  // namespace kith_test
