// tests/fuzz/identity.cpp — the identity file, with its checksums as they are and made right.
#include "fuzz/target.hpp"

#include "kith/core/crc32c.hpp"
#include "kith/storage/identity.hpp"

namespace kith_fuzz {

namespace {

constexpr std::size_t prologue_bytes = 16, header_bytes = 24;  // see docs/format.md

void read(std::string_view bytes) {
    kith::detail::Identity identity;
    if (refuses([&] { identity = kith::detail::decode_identity(bytes, "IDENTITY"); })) return;
    const std::string again = kith::detail::encode_identity(identity);
    const auto same = kith::detail::decode_identity(again, "IDENTITY");
    claim(same.id == identity.id && same.schema == identity.schema && same.engine == identity.engine &&
              same.fingerprint == identity.fingerprint,
          "an identity that was read is written the same");
}

void attack(std::string_view bytes) {
    read(bytes);
    if (bytes.size() < header_bytes) return;
    std::string right = with_number(std::string(bytes), 12, static_cast<std::uint32_t>(bytes.size() - header_bytes));
    right = with_number(right, prologue_bytes, kith::crc32c(std::string_view(right).substr(0, prologue_bytes)));
    right = with_number(right, 20, kith::crc32c(std::string_view(right).substr(header_bytes)));
    read(right);
}

std::vector<std::string> examples() {
    kith::detail::Identity identity;
    identity.engine = 1;
    identity.fingerprint = 77;
    std::vector<std::string> made{kith::detail::encode_identity(identity)};
    identity.schema = "kith schema 1\nid text key\nvector vector 3 metric=l2 index=flat\n";
    made.push_back(kith::detail::encode_identity(identity));
    return made;
}

}  // namespace

const Target identity_target{"identity", attack, examples};

}  // namespace kith_fuzz
