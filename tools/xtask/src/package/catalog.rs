//! The security catalog, `procmon.cat`, as `Inf2Cat` writes it: a PKCS #7
//! signed-data envelope around a certificate trust list whose subjects are the
//! digests of the package's files.
//!
//! Each file has two subjects: one named by its SHA-256 digest, which also
//! carries the digest as Authenticode data, and one named by its SHA-1 digest,
//! by which older parts of Windows look a file up. An image is digested as
//! Authenticode does it, without its checksum and its signature, so signing the
//! image afterwards leaves the catalog valid; any other file is digested whole.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use cms::cert::x509::attr::Attribute;
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignedData, SignerInfos};
use der::asn1::{
    Any, BitString, BmpString, Null, ObjectIdentifier, OctetString, SetOfVec, UtcTime,
};
use der::{Decode as _, Encode as _, Sequence};
use digest::{Digest, Update};
use sha1::Sha1;
use sha2::Sha256;

use crate::arch::Arch;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// `szOID_CTL`.
const CERTIFICATE_TRUST_LIST: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.10.1");
/// `szOID_CATALOG_LIST`.
const CATALOG_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.12.1.1");
/// `szOID_CATALOG_LIST_MEMBER2`.
const CATALOG_LIST_MEMBER2: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.12.1.3");
/// `CAT_NAMEVALUE_OBJID`.
const NAME_VALUE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.12.2.1");
/// `CAT_MEMBERINFO2_OBJID`.
const MEMBER_INFO2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.12.2.3");
/// `SPC_INDIRECT_DATA_OBJID`.
const INDIRECT_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.4");
/// `SPC_PE_IMAGE_DATA_OBJID`.
const PE_IMAGE_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.15");
/// `SPC_CAB_DATA_OBJID`, which stands for every file that is not an image.
const FILE_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.25");

/// `CRYPTCAT_ATTR_AUTHENTICATED | CRYPTCAT_ATTR_NAMEASCII |
/// CRYPTCAT_ATTR_DATAASCII`, and the bit that `Inf2Cat` adds for attributes of its
/// own making.
const NAME_VALUE_FLAGS: u32 = 0x1001_0001;

/// A file that the catalog vouches for.
pub enum Member<'a> {
    /// A PE image, digested without its checksum and signature.
    Image { name: &'a str, bytes: &'a [u8] },
    /// Any other file.
    File { name: &'a str, bytes: &'a [u8] },
}

impl Member<'_> {
    const fn name(&self) -> &str {
        match self {
            Self::Image { name, .. } | Self::File { name, .. } => name,
        }
    }

    fn digest<D: Digest + Update>(&self) -> Result<Vec<u8>> {
        let mut digest = D::new();
        match self {
            Self::Image { name, bytes } => {
                let image = object::read::pe::PeFile64::parse(*bytes)
                    .with_context(|| format!("{name}: not a 64-bit PE image"))?;
                authenticode::authenticode_digest(&image, &mut digest)
                    .map_err(|error| anyhow!("{name}: no Authenticode digest: {error}"))?;
            }
            Self::File { bytes, .. } => Update::update(&mut digest, bytes),
        }
        Ok(digest.finalize().to_vec())
    }
}

/// `CertificateTrustList`, in the form without a version that catalogs use.
#[derive(Sequence)]
struct CertificateTrustList {
    subject_usage: Vec<ObjectIdentifier>,
    list_identifier: OctetString,
    this_update: UtcTime,
    subject_algorithm: AlgorithmIdentifierOwned,
    trusted_subjects: Vec<TrustedSubject>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    extensions: Vec<ListAttribute>,
}

#[derive(Sequence)]
struct TrustedSubject {
    identifier: OctetString,
    attributes: SetOfVec<Attribute>,
}

/// An attribute of the whole list: one value in an octet string, where a
/// subject's attribute has a set.
#[derive(Sequence)]
struct ListAttribute {
    oid: ObjectIdentifier,
    value: OctetString,
}

/// `CatalogNameValue`.
#[derive(Sequence)]
struct NameValue {
    name: BmpString,
    flags: u32,
    value: OctetString,
}

/// `SpcIndirectDataContent`.
#[derive(Sequence)]
struct IndirectData {
    data: TypedValue,
    message_digest: DigestInfo,
}

/// `SpcAttributeTypeAndOptionalValue`.
#[derive(Sequence)]
struct TypedValue {
    oid: ObjectIdentifier,
    value: Any,
}

#[derive(Sequence)]
struct DigestInfo {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

/// `SpcPeImageData`.
#[derive(Sequence)]
struct PeImageData {
    flags: BitString,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    file: Any,
}

/// An unsigned catalog of `members`, dated `date`, in DER.
pub fn unsigned(members: &[Member<'_>], arch: Arch, date: Duration) -> Result<Vec<u8>> {
    let mut subjects = Vec::new();
    for member in members {
        let sha1 = member.digest::<Sha1>()?;
        let sha256 = member.digest::<Sha256>()?;
        subjects.push(subject(member, &sha1, None)?);
        subjects.push(subject(
            member,
            &sha256,
            Some(indirect_data(member, &sha256)?),
        )?);
    }
    // Windows searches the list by halving it.
    subjects.sort_by(|a, b| a.identifier.as_bytes().cmp(b.identifier.as_bytes()));

    // Inf2Cat draws a random identifier; one that follows from the members keeps
    // the package reproducible.
    let mut identity = Sha256::new();
    for subject in &subjects {
        Update::update(&mut identity, subject.identifier.as_bytes());
    }
    let list = CertificateTrustList {
        subject_usage: vec![CATALOG_LIST],
        list_identifier: OctetString::new(&identity.finalize()[..16])?,
        this_update: UtcTime::from_unix_duration(date)?,
        subject_algorithm: algorithm(CATALOG_LIST_MEMBER2),
        trusted_subjects: subjects,
        extensions: vec![ListAttribute {
            oid: NAME_VALUE,
            value: OctetString::new(name_value("OS", arch.catalog_os())?.to_der()?)?,
        }],
    };
    let signed_data = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::new(),
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: CERTIFICATE_TRUST_LIST,
            econtent: Some(Any::encode_from(&list)?),
        },
        certificates: None,
        crls: None,
        signer_infos: SignerInfos(SetOfVec::new()),
    };
    let envelope = ContentInfo {
        content_type: SIGNED_DATA,
        content: Any::encode_from(&signed_data)?,
    };
    Ok(envelope.to_der()?)
}

fn subject(
    member: &Member<'_>,
    identifier: &[u8],
    indirect_data: Option<IndirectData>,
) -> Result<TrustedSubject> {
    // An empty choice [2]: Inf2Cat writes no more.
    let member_info = Any::from_der(&[0x82, 0x00])?;
    let mut attributes = vec![
        attribute(MEMBER_INFO2, member_info)?,
        // "2:" is the platform, NT; 10.0 its version.
        attribute(
            NAME_VALUE,
            Any::encode_from(&name_value("OSAttr", "2:10.0")?)?,
        )?,
        attribute(
            NAME_VALUE,
            Any::encode_from(&name_value("File", member.name())?)?,
        )?,
    ];
    if let Some(data) = indirect_data {
        attributes.push(attribute(INDIRECT_DATA, Any::encode_from(&data)?)?);
    }
    Ok(TrustedSubject {
        identifier: OctetString::new(identifier)?,
        attributes: SetOfVec::try_from(attributes)?,
    })
}

fn indirect_data(member: &Member<'_>, sha256: &[u8]) -> Result<IndirectData> {
    // SpcLink, the choice `file`, an empty string.
    let no_file = Any::from_der(&[0xa2, 0x02, 0x80, 0x00])?;
    let data = match member {
        Member::Image { .. } => TypedValue {
            oid: PE_IMAGE_DATA,
            value: Any::encode_from(&PeImageData {
                // includeResources and includeImportAddressTable: the whole image.
                flags: BitString::new(5, [0xa0])?,
                file: no_file,
            })?,
        },
        Member::File { .. } => TypedValue {
            oid: FILE_DATA,
            value: no_file,
        },
    };
    Ok(IndirectData {
        data,
        message_digest: DigestInfo {
            algorithm: algorithm(SHA_256),
            digest: OctetString::new(sha256)?,
        },
    })
}

fn attribute(oid: ObjectIdentifier, value: Any) -> Result<Attribute> {
    Ok(Attribute {
        oid,
        values: SetOfVec::try_from(vec![value])?,
    })
}

fn name_value(name: &str, value: &str) -> Result<NameValue> {
    let utf16: Vec<u8> = value
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect();
    Ok(NameValue {
        name: BmpString::from_utf8(name)?,
        flags: NAME_VALUE_FLAGS,
        value: OctetString::new(utf16)?,
    })
}

fn algorithm(oid: ObjectIdentifier) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid,
        parameters: Some(Null.into()),
    }
}
